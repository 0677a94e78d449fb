package main

import (
	"strings"
	"testing"
)

// TestEvictingRedisIsRefused: one that may throw keys away, and only that, keeps an instance from starting.
func TestEvictingRedisIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		info    string
		refused bool
	}{
		{"# Memory\r\nused_memory:100\r\nmaxmemory:1048576\r\nmaxmemory_policy:allkeys-lru\r\n", true},
		{"maxmemory:1048576\r\nmaxmemory_policy:volatile-ttl\r\n", true},
		{"maxmemory:1048576\r\nmaxmemory_policy:noeviction\r\n", false},
		{"maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", false},
		{"# Server\r\nredis_version:7.0.0\r\n", false},
		{"", false},
	} {
		err := checkEviction("redis:6379", c.info)
		if (err != nil) != c.refused || c.refused && !strings.Contains(err.Error(), "set maxmemory-policy noeviction") {
			t.Errorf("%q: %v", c.info, err)
		}
	}
}
