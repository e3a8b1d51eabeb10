-- heads: ARGV = channels. Answer: standing, head of each.
local function heads(keys, argv)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  if #argv == 0 then return { answer, {} } end
  local scores = redis.call('ZMSCORE', keys[1] .. ':h', unpack(argv))
  for i = 1, #argv do scores[i] = scores[i] or '0' end
  return { answer, scores }
end

-- moved: ARGV = order, limit. Answer: standing, channels with a newer head and that head, by order.
local function moved(keys, argv)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  return { answer, redis.call('ZRANGEBYSCORE', keys[1] .. ':h', '(' .. argv[1], '+inf',
    'WITHSCORES', 'LIMIT', 0, tonumber(argv[2])) }
end

register('heads', heads, READ_ONLY)
register('moved', moved, READ_ONLY)
