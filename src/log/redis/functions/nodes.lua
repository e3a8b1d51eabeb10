-- What gateways say of themselves to whoever looks after them, on partition 0.
--
--   B:y        zset    gateway -> ms until it counts
--   B:y:<id>   string  its report, while it counts
--   B:yl       string  somebody looks at what is in detail, while it lasts

-- node_tell: ARGV = gateway, ms for which it counts, report. Answer: 1 where details are looked at.
local function node_tell(keys, argv)
  local nodes, ms = keys[1] .. ':y', tonumber(argv[2])
  local clock = now()
  redis.call('ZREMRANGEBYSCORE', nodes, '-inf', text(clock))
  redis.call('ZADD', nodes, text(clock + ms), argv[1])
  redis.call('PEXPIRE', nodes, text(ms))
  redis.call('SET', nodes .. ':' .. argv[1], argv[3], 'PX', text(ms))
  return redis.call('EXISTS', keys[1] .. ':yl')
end

-- node_leave: ARGV = gateway.
local function node_leave(keys, argv)
  redis.call('ZREM', keys[1] .. ':y', argv[1])
  return redis.call('DEL', keys[1] .. ':y:' .. argv[1])
end

-- node_all: ARGV = ms for which details are looked at, 0: they aren't. Answer: of each gateway the ms
-- that it still counts, and its report.
local function node_all(keys, argv)
  local nodes = keys[1] .. ':y'
  local clock = now()
  if argv[1] ~= '0' then redis.call('SET', keys[1] .. ':yl', '1', 'PX', argv[1]) end
  local answer = {}
  local ids = redis.call('ZRANGEBYSCORE', nodes, '(' .. text(clock), '+inf', 'WITHSCORES')
  for i = 1, #ids, 2 do
    local report = redis.call('GET', nodes .. ':' .. ids[i])
    if report then
      answer[#answer + 1] = tonumber(ids[i + 1]) - clock
      answer[#answer + 1] = report
    end
  end
  return answer
end

-- A few small keys for each gateway, and a full Redis is when somebody looks.
register('node_tell', node_tell, { 'allow-oom' })
register('node_leave', node_leave, { 'allow-oom' })
register('node_all', node_all, { 'allow-oom' })
