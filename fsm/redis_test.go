package fsm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// openRedis is a client to addr that is closed with the test.
func openRedis(t *testing.T, addr string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func openRedisIssuer(t testing.TB, client *redis.Client, prefix string) *RedisIssuer {
	t.Helper()
	r, err := NewRedisIssuer(client, RedisConfig{Prefix: prefix, Partitions: testPartitions})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRedisIssuerConforms runs the suite on the scripts inside miniredis, whose Lua is
// not Redis's: the real one is asked under the build tag real.
func TestRedisIssuerConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) place {
		server := miniredis.RunT(t)
		return place{fullIssuer: openRedisIssuer(t, openRedis(t, server.Addr()), ""), wipe: server.FlushAll}
	})
}

// TestOneHashTag: every key that the room writes carries the prefix as its hash tag.
func TestOneHashTag(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := openRedis(t, server.Addr())
	p := place{fullIssuer: openRedisIssuer(t, client, "bench1.")}
	p.openAll(t)
	if err := p.Declare(t.Context(), demoCampaign()); err != nil {
		t.Fatal(err)
	}
	if err := p.Issue(t.Context(), []Request{demoRequest(1)}, make([]Result, 1)); err != nil {
		t.Fatal(err)
	}
	limiter, err := NewRedisLimiter(client, "bench1.", Rate{PerSecond: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := limiter.Take(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if keys := server.Keys(); len(keys) != 4 { // epoch, campaign, answers, rate
		t.Errorf("keys %q, want four", keys)
	}
	for _, key := range server.Keys() {
		if !strings.HasPrefix(key, "{bench1.}:i:") {
			t.Errorf("key %q is outside {bench1.}:i:", key)
		}
	}
}

// TestRedisRefusesConfig: what cannot work is refused before the first call.
func TestRedisRefusesConfig(t *testing.T) {
	t.Parallel()
	unbounded := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer unbounded.Close()
	bounded := openRedis(t, "127.0.0.1:1")
	ok := RedisConfig{Partitions: 1}
	for name, open := range map[string]func() (*RedisIssuer, error){
		"no client":     func() (*RedisIssuer, error) { return NewRedisIssuer(nil, ok) },
		"no deadline":   func() (*RedisIssuer, error) { return NewRedisIssuer(unbounded, ok) },
		"no partitions": func() (*RedisIssuer, error) { return NewRedisIssuer(bounded, RedisConfig{}) },
		"brace in a tag": func() (*RedisIssuer, error) {
			return NewRedisIssuer(bounded, RedisConfig{Prefix: "a}b", Partitions: 1})
		},
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestRedisDown: no answer is Unknown and an error, within the caller's deadline.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	r := openRedisIssuer(t, openRedis(t, server.Addr()), "")
	place{fullIssuer: r}.openAll(t)
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var issued, found [1]Result
	issueErr := r.Issue(ctx, []Request{demoRequest(1)}, issued[:])
	lookupErr := r.Lookup(ctx, []Key{{Campaign: 1}}, found[:])
	if issueErr == nil || lookupErr == nil || errors.Is(issueErr, ErrNotRebuilt) {
		t.Errorf("issue: %v, lookup: %v; want errors of the connection", issueErr, lookupErr)
	}
	if issued[0].Answer != Unknown || found[0].Answer != Unknown {
		t.Errorf("issue: %s, lookup: %s; want unknown", issued[0].Answer, found[0].Answer)
	}
}

// TestWriteErrorLeavesNothing: what goes wrong goes wrong before the first write.
func TestWriteErrorLeavesNothing(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	r := openRedisIssuer(t, openRedis(t, server.Addr()), "")
	place{fullIssuer: r}.openAll(t)
	if err := r.Declare(t.Context(), demoCampaign()); err != nil {
		t.Fatal(err)
	}
	bad := demoRequest(2)
	if err := server.Set(r.keys.answers(1, shardOf(&bad.ID)), "not a hash"); err != nil {
		t.Fatal(err)
	}
	results := make([]Result, 2)
	if err := r.Issue(t.Context(), []Request{demoRequest(1), bad}, results); err == nil {
		t.Fatal("a batch over a broken key was taken")
	}
	if results[0].Answer != Unknown {
		t.Errorf("coupon 1: %s, want unknown", results[0].Answer)
	}
	counts, err := r.Counts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Kinds[0].Done != 0 {
		t.Errorf("%d done after a batch that failed", counts.Kinds[0].Done)
	}
	var found [1]Result
	if err := r.Lookup(t.Context(), []Key{{Campaign: 1, ID: testID(1)}}, found[:]); err != nil || found[0].Answer != Absent {
		t.Errorf("coupon 1: %s, %v; want absent", found[0].Answer, err)
	}
}

// TestPartitionCountDiffers: two processes with different counts do not wait for ever
// without a word.
func TestPartitionCountDiffers(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := openRedis(t, server.Addr())
	place{fullIssuer: openRedisIssuer(t, client, "")}.openAll(t)
	one, err := NewRedisIssuer(client, RedisConfig{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Missing(t.Context()); err == nil || !strings.Contains(err.Error(), "2 partitions, this process has 1") {
		t.Errorf("missing: %v, want both counts named", err)
	}
}

// TestFieldRoundTrip: shard and field together are the key, for every shard.
func TestFieldRoundTrip(t *testing.T) {
	t.Parallel()
	seen := make(map[uint16]bool)
	for n := range uint64(100_000) {
		id, round := testID(n), int32(n%5*n*n%(1<<31))
		shard := shardOf(&id)
		seen[shard] = true
		gotID, gotRound, err := parseField(shard, string(appendField(nil, &id, round)))
		if err != nil || gotID != id || gotRound != round {
			t.Fatalf("%x round %d: read back as %x round %d, %v", id, round, gotID, gotRound, err)
		}
	}
	if len(seen) < shards*95/100 {
		t.Errorf("%d of %d shards used by 100,000 ids", len(seen), shards)
	}
	for _, field := range []string{"", "short", strings.Repeat("x", 15) + "\x80", strings.Repeat("x", 15) + "\x00", strings.Repeat("x", 17)} {
		if _, _, err := parseField(0, field); err == nil {
			t.Errorf("field %x was taken", field)
		}
	}
}
