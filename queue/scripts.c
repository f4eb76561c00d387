/* SPDX-License-Identifier: MIT */
#include "queue/link.h"

/* A member's score is the time inside its task's UUIDv7: its first 48 bits, in milliseconds. */
#define LUA_SCORE                                                             \
    "local function score(m) return tonumber(string.sub(m, 1, 12), 16) end\n" \
    "local function ours(m) return #m == 34 and string.match(m, '^%x+:[0-7]$') end\n"

/*
 * KEYS slots, pending; ARGV task, how many must be open, how many to add at least. A slot that is
 * pending counts: it is either being opened as an attempt or comes back by itself.
 */
static const char open_lua[] =
    LUA_SCORE "local all, missing, have, added = {}, {}, 0, 0\n"
              "local want, more = tonumber(ARGV[2]), tonumber(ARGV[3])\n"
              "for i = 1, 8 do all[i] = ARGV[1] .. ':' .. (i - 1) end\n"
              "local open = redis.call('ZMSCORE', KEYS[1], unpack(all))\n"
              "local pending = redis.call('ZMSCORE', KEYS[2], unpack(all))\n"
              "for i = 1, 8 do\n"
              "  if open[i] or pending[i] then have = have + 1\n"
              "  else missing[#missing + 1] = all[i] end\n"
              "end\n"
              "for _, m in ipairs(missing) do\n"
              "  if have >= want and added >= more then break end\n"
              "  redis.call('ZADD', KEYS[1], score(m), m)\n"
              "  have = have + 1; added = added + 1\n"
              "end\n"
              "return added\n";

/*
 * KEYS slots, pending, tried; ARGV pending time in ms, '1' to take or '0' to look. A task
 * is tried until the time (ms) that is its score. Answers the member or nil. Members that are not
 * ours (forged, garbage) are thrown out on sight. The first page is short: mostly its first member
 * does.
 */
static const char pop_lua[] = LUA_SCORE
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "for _, m in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 64)) do\n"
    "  redis.call('ZREM', KEYS[2], m)\n"
    "  if ours(m) then redis.call('ZADD', KEYS[1], score(m), m) end\n"
    "end\n"
    "local from, n = 0, 4\n"
    "while from < 2000 do\n"
    "  local page = redis.call('ZRANGE', KEYS[1], from, from + n - 1)\n"
    "  if #page == 0 then return false end\n"
    "  for _, m in ipairs(page) do\n"
    "    if not ours(m) then redis.call('ZREM', KEYS[1], m)\n"
    "    elseif tonumber(redis.call('ZSCORE', KEYS[3], string.sub(m, 1, 32)) or 0) <= now then\n"
    "      if ARGV[2] == '1' then\n"
    "        redis.call('ZREM', KEYS[1], m)\n"
    "        redis.call('ZADD', KEYS[2], now + ARGV[1], m)\n"
    "      end\n"
    "      return m\n"
    "    end\n"
    "  end\n"
    "  from, n = from + n, 100\n"
    "end\n"
    "return false\n";

/* KEYS slots, pending; ARGV member. Only a slot that is still pending goes back: one that ran out
 * of its two seconds is back already, one that was dropped meanwhile must stay away. */
static const char return_lua[] =
    LUA_SCORE "if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then\n"
              "  redis.call('ZADD', KEYS[1], score(ARGV[1]), ARGV[1])\n"
              "end\n"
              "return 1\n";

/* KEYS slots, pending; ARGV task. */
static const char drop_lua[] = "for i = 0, 7 do\n"
                               "  local m = ARGV[1] .. ':' .. i\n"
                               "  redis.call('ZREM', KEYS[1], m)\n"
                               "  redis.call('ZREM', KEYS[2], m)\n"
                               "end\n"
                               "return 1\n";

/* KEYS tried; ARGV task, for how long (ms). By Redis's clock, as pop reads it. An hour is the
 * longest (SLOT_TRIED_MS). */
static const char tried_lua[] = "local t = redis.call('TIME')\n"
                                "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
                                "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n"
                                "redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])\n"
                                "redis.call('EXPIRE', KEYS[1], 3600)\n"
                                "return 1\n";

/* KEYS token, mark. */
static const char mark_lua[] = "if redis.call('DEL', KEYS[1]) == 1 then\n"
                               "  redis.call('SET', KEYS[2], '1')\n"
                               "  return 1\n"
                               "end\n"
                               "return 0\n";

const char *const script_text[SCRIPT_COUNT] = {
    [SCRIPT_OPEN] = open_lua, [SCRIPT_POP] = pop_lua,     [SCRIPT_RETURN] = return_lua,
    [SCRIPT_DROP] = drop_lua, [SCRIPT_TRIED] = tried_lua, [SCRIPT_MARK] = mark_lua,
};
