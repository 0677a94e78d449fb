//go:build real

package fsm

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"hongbao/schemas"
)

// BenchmarkRealIssue issues one coupon per iteration in batches of 64, and says what
// redis-server spends on it: CPU, and memory per remembered answer.
func BenchmarkRealIssue(b *testing.B) {
	s := startRedis(b)
	client := s.client(b)
	p := place{fullIssuer: openRedisIssuer(b, client, "")}
	p.openAll(b)
	c := demoCampaign()
	c.Coupons[0].Stock = schemas.MaxCount
	if err := p.Declare(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	const batch = 64
	requests, results := make([]Request, batch), make([]Result, batch)
	n := uint64(0)
	issue := func() {
		for i := range requests {
			n++
			requests[i] = demoRequest(n)
		}
		if err := p.Issue(b.Context(), requests, results); err != nil {
			b.Fatal(err)
		}
	}
	for range 8 * shards / batch { // every hash exists, as in a campaign of some size
		issue()
	}
	memory, cpu := usedMemory(b, client), s.cpuNS(b)
	b.ReportAllocs()
	for i := 0; i < b.N; i += batch {
		issue()
	}
	made := float64(n) - 8*shards
	b.ReportMetric(float64(s.cpuNS(b)-cpu)/made, "redis-ns/coupon")
	b.ReportMetric(float64(usedMemory(b, client)-memory)/made, "redis-B/coupon")
}

// cpuNS is the CPU time that redis-server has used, from /proc: Linux only.
func (s *redisServer) cpuNS(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/schedstat")
	if err != nil {
		b.Skip(err)
	}
	n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// usedMemory is what redis-server says it has allocated, in bytes.
func usedMemory(b *testing.B, client *redis.Client) int64 {
	b.Helper()
	info, err := client.Info(b.Context(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(info, "used_memory:")
	text, _, _ := strings.Cut(after, "\r")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkRealRebuild restores one answer per iteration into an empty Redis: how long
// an owner of many coupons keeps everybody waiting.
func BenchmarkRealRebuild(b *testing.B) {
	s := startRedis(b)
	p := openRedisIssuer(b, s.client(b), "")
	b.ReportAllocs()
	sum, err := p.Rebuild(b.Context(), 0, func(yield func(Remembered) error) error {
		for n := range uint64(b.N) {
			q := demoRequest(n)
			if err := yield(Remembered{Key: q.Key(), Answer: Done, Kind: q.Kind, ValueMinor: q.ValueMinor, Currency: q.Currency}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || sum.Restored != int64(b.N) {
		b.Fatalf("%+v, %v; want %d restored", sum, err, b.N)
	}
}
