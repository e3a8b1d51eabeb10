-- Leases: of all gateways that hear a raw message one appends it; of all that could read the inbox
-- one does.
--
--   B:l                 string  token of whoever appends the partition's raw messages, while it lasts
--   B:g                 string  the last token there was
--   {<inbox>}:reader    string  token of whoever reads the inbox; in the inbox's slot, for that may be
--                               another than any partition's
--
-- A token is one acquisition of one holder and never used again: a holder that slept over the end of
-- its lease asks with another, and what it still appends with the old one is refused.

-- lease: ARGV = token held or '', token for an acquisition, ms. Answer: the token that the asker holds
-- now or '', the one before it where it was acquired or the one that stands in the way, and then the ms
-- that it lasts without a renewal.
local function lease(keys, argv)
  local key, last = keys[1] .. ':l', keys[1] .. ':g'
  local held, fresh, ms = argv[1], argv[2], argv[3]
  local current = redis.call('GET', key)
  -- The answer to the acquisition may have been lost: then it is asked for once more.
  if current and (current == held or current == fresh) then
    redis.call('PEXPIRE', key, ms)
    return { current, '', 0 }
  end
  if current then return { '', current, redis.call('PTTL', key) } end
  local before = redis.call('GET', last) or ''
  redis.call('SET', key, fresh, 'PX', ms)
  redis.call('SET', last, fresh)
  return { fresh, before, 0 }
end

-- release: ARGV = token.
local function release(keys, argv)
  if redis.call('GET', keys[1] .. ':l') ~= argv[1] then return 0 end
  return redis.call('DEL', keys[1] .. ':l')
end

register('lease', lease, {})
register('release', release, {})
