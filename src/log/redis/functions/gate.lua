-- What gateways agree on at the door: tickets, who owns a session, how much was used of a rate. Each on
-- the partition that its name hashes to.
--
--   B:t:<id>                    string  ticket: ms at which it ends US session or '' US record
--   B:u:<session>               string  its owner
--   B:b:<amount>/<ms>:<bucket>  string  "missing time": what a bucket lacked, and when
--
-- Callers send durations, and this server's clock decides: gateways' clocks may differ. All keys expire.
-- A full Redis can be read, and readers come through here: so only new tickets are refused there.

-- issue: ARGV = id, record, ms in which it must be redeemed, ms that it lasts.
local function issue(keys, argv)
  redis.call('SET', keys[1] .. ':t:' .. argv[1], text(now() + tonumber(argv[4])) .. US .. US .. argv[2],
    'PX', argv[3])
  return 1
end

-- redeem: ARGV = id, session. Answer: whether the ticket is that session's now, and its record; nil
-- where there is no ticket.
local function redeem(keys, argv)
  local key, session = keys[1] .. ':t:' .. argv[1], argv[2]
  local ticket = redis.call('GET', key)
  if not ticket then return false end
  local ends, holder, record = string.match(ticket, '^(%d+)\31([^\31]*)\31(.*)$')
  if holder ~= '' then return holder == session and { 1, record } or { 0 } end
  local left = tonumber(ends) - now()
  if left <= 0 then return false end
  redis.call('SET', key, ends .. US .. session .. US .. record, 'PX', text(left))
  return { 1, record }
end

-- claim: ARGV = session, owner, ms. Answer: the owner.
local function claim(keys, argv)
  local key = keys[1] .. ':u:' .. argv[1]
  local owner = redis.call('GET', key)
  if owner and owner ~= argv[2] then return owner end
  redis.call('SET', key, argv[2], 'PX', argv[3])
  return argv[2]
end

-- owner: ARGV = session.
local function owner(keys, argv)
  return redis.call('GET', keys[1] .. ':u:' .. argv[1])
end

-- take: ARGV = bucket, amount, ms, at least, at most. Answer: units, ms until there is one.
--
-- Counted in parts of a unit, `ms` of them each: a millisecond brings `amount` parts, so that all
-- numbers are whole, and exact however often they are added.
local function take(keys, argv)
  local amount, ms = tonumber(argv[2]), tonumber(argv[3])
  local key = keys[1] .. ':b:' .. argv[2] .. '/' .. argv[3] .. ':' .. argv[1]
  local clock = now()
  local missing, ahead = 0, false
  local stored = redis.call('GET', key)
  if stored then
    local lacked, time = string.match(stored, '^(%d+) (%d+)$')
    local gone = clock - tonumber(time)
    ahead = gone < 0
    missing = math.max(0, tonumber(lacked) - math.max(0, gone) * amount)
  end
  local free = amount * ms - missing
  local granted = 0
  if free >= ms then
    granted = math.max(tonumber(argv[4]), math.min(tonumber(argv[5]), math.floor(free / ms)))
    missing = missing + granted * ms
  end
  -- Ahead of a clock that was set back it would not fill until the clock is there again.
  if granted > 0 or ahead then
    redis.call('SET', key, text(missing) .. ' ' .. text(clock), 'PX', text(math.ceil(missing / amount)))
  end
  return { granted, granted > 0 and 0 or math.ceil((ms - free) / amount) }
end

register('issue', issue, {})
register('redeem', redeem, { 'allow-oom' })
register('claim', claim, { 'allow-oom' })
register('owner', owner, READ_ONLY)
register('take', take, { 'allow-oom' })
