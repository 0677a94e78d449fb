package fsm

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/rate.lua
var rateLua string

// RedisLimiter limits the whole fleet: one arrival time in Redis, by Redis's clock.
// Safe for concurrent use.
type RedisLimiter struct {
	client *redis.Client
	script *redis.Script
	key    string
	rate   Rate
}

// NewRedisLimiter shares one rate among all processes with this prefix; empty means
// "hongbao". The client must have ContextTimeoutEnabled.
func NewRedisLimiter(client *redis.Client, prefix string, rate Rate) (*RedisLimiter, error) {
	if err := rate.Validate(); err != nil {
		return nil, err
	}
	if err := checkClient(client); err != nil {
		return nil, err
	}
	k, err := newKeys(prefix)
	if err != nil {
		return nil, err
	}
	return &RedisLimiter{client: client, script: redis.NewScript(rateLua), key: k.rate, rate: rate}, nil
}

// Take keeps Limiter's contract. An error means Redis did not answer.
func (l *RedisLimiter) Take(ctx context.Context, want int) (int, time.Duration, error) {
	if want < 1 {
		return 0, 0, nil
	}
	reply, err := l.script.Run(ctx, l.client, []string{l.key}, l.rate.intervalUS(), l.rate.toleranceUS(), want).Int64Slice()
	if err != nil {
		return 0, 0, fmt.Errorf("take %d permits from %s: %w", want, l.key, err)
	}
	if len(reply) != 2 || reply[0] < 0 || reply[0] > int64(want) {
		return 0, 0, fmt.Errorf("take %d permits from %s: Redis answered %v, not granted and wait", want, l.key, reply)
	}
	return int(reply[0]), time.Duration(reply[1]) * time.Microsecond, nil
}
