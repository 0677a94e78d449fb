package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisCheckPatience bounds the question at start: a Redis that is away is waited for later, by who needs it.
const redisCheckPatience = time.Second

// checkRedis refuses a Redis that throws keys away when its memory is full: claims, limits and answers would be gone without a sign,
// for only one that has forgotten everything is rebuilt (X10). A Redis that does not answer, or does not say, is no reason to stay away.
func (a *app) checkRedis(ctx context.Context) error {
	options, err := a.cfg.redisOptions()
	if err != nil {
		return err
	}
	options.MaxRetries, options.ContextTimeoutEnabled = -1, true
	client := redis.NewClient(options)
	ctx, cancel := context.WithTimeout(ctx, redisCheckPatience)
	defer cancel()
	info, err := client.Info(ctx, "memory").Result()
	if err != nil {
		a.log.Debug("Redis does not say how it evicts", "error", err)
		return client.Close()
	}
	return errors.Join(checkEviction(a.cfg.Redis, info), client.Close())
}

func checkEviction(address, info string) error {
	said := map[string]string{}
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		said[key] = value
	}
	bytes, policy := said["maxmemory"], said["maxmemory_policy"]
	if policy == "" || policy == "noeviction" || bytes == "" || bytes == "0" {
		return nil
	}
	return fmt.Errorf("rule X10: Redis at %s has maxmemory %s and maxmemory-policy %s: it would throw claims and answers away unnoticed; "+
		"set maxmemory-policy noeviction", address, bytes, policy)
}
