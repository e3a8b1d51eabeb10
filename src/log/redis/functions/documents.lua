-- Documents: small shared state that changes together with appends. Each on the partition of its name.
--
--   B:j:<name>  hash  v: version, n: number of fields; f<field> -> value; l<member> -> "until away by", its
--                     lease, `by` whoever has it or nothing; s<member> -> number of its last message. Expires DOCUMENT_KEEP after its last
--                     change or renewal
--   B:jl        zset  "name member" -> ms at which whoever looks for leases that are over finds it: its
--                     end, or later where somebody has found it already
--
-- A change is an operation of `write`: it is checked completely, its drafts are appended, and then it is
-- written. A full Redis takes those that end something (write_full), and signs of life.

-- KEEP_MS in documents.ts.
local DOCUMENT_KEEP = 604800000

local function document_key(base, name) return base .. ':j:' .. name end

local function document_lease(base, name, member, till, away, by)
  redis.call('HSET', document_key(base, name), 'l' .. member, text(till) .. ' ' .. away .. ' ' .. by)
  redis.call('ZADD', base .. ':jl', text(till), name .. ' ' .. member)
end

local function document_till(lease)
  return lease and tonumber(string.match(lease, '^%d+')) or 0
end

-- What a change says of its document; `at` is then where its drafts begin. From argv[at] on: name, version,
-- version afterwards or 0; member, first and last of its messages, first 0: none; the lengths of the lists:
-- fields with values, removed fields, leases (member, ms, away), members that must be overdue, members asked
-- about, all counted in arguments; then the lists.
local function document_change(base, argv, at)
  local change = {
    name = argv[at], key = document_key(base, argv[at]), version = argv[at + 1], becomes = argv[at + 2],
    member = argv[at + 3], first = tonumber(argv[at + 4]), last = tonumber(argv[at + 5]),
  }
  local lengths = at + 6
  at = lengths + 5
  for i, list in ipairs({ 'set', 'removed', 'leases', 'overdue', 'asked' }) do
    local items = {}
    for k = 1, tonumber(argv[lengths + i - 1]) do items[k] = argv[at + k - 1] end
    change[list], at = items, at + #items
  end
  change.at = at
  return change
end

-- Why a change can't be: !v the document is another, !a a lease isn't over, !s<last> messages are missing.
local function document_refusal(change, ms)
  local version = redis.pcall('HGET', change.key, 'v')
  if type(version) == 'table' then
    if string.find(version.err, 'user executing', 1, true) then error(version.err) end
    return '!e' .. string.match(version.err, '^%S*')
  end
  if (version or '0') ~= change.version then return '!v' end
  for _, member in ipairs(change.overdue) do
    if document_till(redis.call('HGET', change.key, 'l' .. member)) > ms then return '!a' end
  end
  if change.first > 0 then
    change.taken = tonumber(redis.call('HGET', change.key, 's' .. change.member) or '0')
    if change.first > change.taken + 1 then return '!s' .. text(change.taken) end
  end
end

local function document_end(base, change)
  local all = redis.call('HGETALL', change.key)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 'l' then
      redis.call('ZREM', base .. ':jl', change.name .. ' ' .. string.sub(all[i], 2))
    end
  end
  redis.call('UNLINK', change.key)
end

-- Answer: the version afterwards, and for each member asked about whether it is away, a digit each.
local function document_write(base, change, ms)
  local key = change.key
  local version = change.version
  if change.becomes ~= '0' then
    local fields = tonumber(redis.call('HGET', key, 'n') or '0')
    for i = 1, #change.set, 2 do
      fields = fields + redis.call('HSET', key, 'f' .. change.set[i], change.set[i + 1])
    end
    for _, field in ipairs(change.removed) do fields = fields - redis.call('HDEL', key, 'f' .. field) end
    if fields > 0 then
      version = change.becomes
      redis.call('HSET', key, 'v', version, 'n', text(fields))
    else
      version = '0'
      document_end(base, change)
    end
  end
  if version ~= '0' then
    if change.first > 0 then
      redis.call('HSET', key, 's' .. change.member, text(math.max(change.taken, change.last)))
    end
    for i = 1, #change.leases, 3 do
      local member, more = change.leases[i], tonumber(change.leases[i + 1])
      if more > 0 then
        document_lease(base, change.name, member, ms + more, change.leases[i + 2], '')
      else
        redis.call('HDEL', key, 'l' .. member, 's' .. member)
        redis.call('ZREM', base .. ':jl', change.name .. ' ' .. member)
      end
    end
    redis.call('PEXPIRE', key, text(DOCUMENT_KEEP))
  end
  local away = {}
  for i, member in ipairs(change.asked) do
    away[i] = string.match(redis.call('HGET', key, 'l' .. member) or '', '^%d+ 1') and '1' or '0'
  end
  return version .. US .. table.concat(away)
end

-- document_read: ARGV = name. Answer: standing, the hash.
local function document_read(keys, argv)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  return { answer, redis.call('HGETALL', document_key(keys[1], argv[1])) }
end

-- document_renew: ARGV = name, member, ms, away, by; for each. Answer: a letter for each, h held, l lost.
local function document_renew(keys, argv)
  local base, clock = keys[1], now()
  local letters, kept = {}, nil
  for i = 1, #argv, 5 do
    local name, member, away, by = argv[i], argv[i + 1], argv[i + 3], argv[i + 4]
    local key = document_key(base, name)
    local held = redis.call('HGET', key, 'l' .. member)
    letters[#letters + 1] = held and 'h' or 'l'
    local owner = held and string.match(held, '^%S+ %S+ (%S+)$') or ''
    local other = by ~= '' and owner ~= '' and by ~= owner
    if held and not (away == '1' and other) then
      document_lease(base, name, member, clock + tonumber(argv[i + 2]), away, by ~= '' and by or owner)
      if kept ~= name then redis.call('PEXPIRE', key, text(DOCUMENT_KEEP)) end
      kept = name
    end
  end
  return table.concat(letters)
end

-- document_overdue: ARGV = limit, ms until it is found again. Answer: name, member; for each.
local function document_overdue(keys, argv)
  local base, clock = keys[1], now()
  local list = base .. ':jl'
  local answer = {}
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', list, '-inf', text(clock), 'LIMIT', 0, argv[1])) do
    local name, member = string.match(entry, '^(%S+) (.*)$')
    if redis.call('HEXISTS', document_key(base, name), 'l' .. member) == 1 then
      redis.call('ZADD', list, text(clock + tonumber(argv[2])), entry)
      answer[#answer + 1] = name
      answer[#answer + 1] = member
    else
      -- Its document has expired.
      redis.call('ZREM', list, entry)
    end
  end
  return answer
end

register('document_read', document_read, READ_ONLY)
register('document_renew', document_renew, { 'allow-oom' })
register('document_overdue', document_overdue, { 'allow-oom' })
