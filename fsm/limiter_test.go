package fsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// virtualClock is a clock that only a test moves.
type virtualClock struct{ at time.Time }

func (c *virtualClock) now() time.Time { return c.at }

// eachLimiter runs a test on every implementation of Limiter under a virtual clock.
func eachLimiter(t *testing.T, rate Rate, test func(t *testing.T, l Limiter, advance func(time.Duration))) {
	start := time.Date(2026, 11, 11, 0, 0, 0, 123_000, time.UTC)
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		clock := &virtualClock{at: start}
		l, err := NewMemoryLimiter(rate, clock.now)
		if err != nil {
			t.Fatal(err)
		}
		test(t, l, func(d time.Duration) { clock.at = clock.at.Add(d) })
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		server, clock := miniredis.RunT(t), &virtualClock{at: start}
		server.SetTime(clock.at)
		server.ClockTTL(true)
		l, err := NewRedisLimiter(openRedis(t, server.Addr()), "", rate)
		if err != nil {
			t.Fatal(err)
		}
		test(t, l, func(d time.Duration) { clock.at = clock.at.Add(d); server.SetTime(clock.at) })
	})
}

func take(t *testing.T, l Limiter, want int) (int, time.Duration) {
	t.Helper()
	granted, wait, err := l.Take(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if granted < 0 || granted > want || (granted < want) != (wait > 0) {
		t.Fatalf("take %d: granted %d, wait %s", want, granted, wait)
	}
	return granted, wait
}

// TestRateOverAnyWindow takes at random times for a virtual minute or so and looks at
// every window: never more than the burst and the window's share.
func TestRateOverAnyWindow(t *testing.T) {
	t.Parallel()
	for _, rate := range []Rate{{PerSecond: 1000}, {PerSecond: 30}, {PerSecond: 7, Burst: 3}, {PerSecond: 30_000, Burst: 1}} {
		t.Run(fmt.Sprint(rate.PerSecond), func(t *testing.T) {
			t.Parallel()
			eachLimiter(t, rate, func(t *testing.T, l Limiter, advance func(time.Duration)) { anyWindow(t, rate, l, advance) })
		})
	}
}

func anyWindow(t *testing.T, rate Rate, l Limiter, advance func(time.Duration)) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, uint64(rate.PerSecond)))
	burst := int(rate.toleranceUS() / rate.intervalUS())
	type grant struct {
		at    time.Duration
		total int // granted up to and with this one
	}
	grants := []grant{{at: -time.Hour}}
	var now time.Duration
	total := 0
	for range 700 {
		if n, _ := take(t, l, 1+rng.IntN(2*burst+3)); n > 0 {
			total += n
			grants = append(grants, grant{now, total})
		}
		step := time.Duration(rng.IntN((burst+1)*1_000_000/rate.PerSecond+1)) * time.Microsecond
		if rng.IntN(50) == 0 {
			step *= 20 // a pause, after which the burst is there
		}
		now += step
		advance(step)
	}
	for i := 1; i < len(grants); i++ {
		for j := i; j < len(grants); j++ {
			window, n := grants[j].at-grants[i].at, grants[j].total-grants[i-1].total
			if most := burst + int(window*time.Duration(rate.PerSecond)/time.Second); n > most {
				t.Fatalf("seed %d: %d permits within %s, at most %d at %d/s with burst %d", seed, n, window, most, rate.PerSecond, burst)
			}
		}
	}
	if least := int(now.Seconds() * float64(rate.PerSecond) / 8); total < least {
		t.Errorf("%d permits in %s at %d/s: the test hardly took any", total, now, rate.PerSecond)
	}
}

// TestSteadyRate: a caller that waits as told gets the whole rate, also where it does
// not divide a million.
func TestSteadyRate(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []int{3, 999, 1000} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			t.Parallel()
			rate := Rate{PerSecond: perSecond}
			eachLimiter(t, rate, func(t *testing.T, l Limiter, advance func(time.Duration)) {
				total, now := 0, time.Duration(0)
				seconds := max(1, 30/perSecond)
				for now < time.Duration(seconds)*time.Second {
					n, wait := take(t, l, 64)
					total, now = total+n, now+wait
					advance(wait)
				}
				want := seconds * perSecond
				if total < want*99/100-1 || total > want+perSecond/10+2 {
					t.Errorf("%d permits in %d s at %d/s", total, seconds, perSecond)
				}
			})
		})
	}
}

// TestWaitIsEnough: after the wait there is a permit, just before it there is none.
func TestWaitIsEnough(t *testing.T) {
	t.Parallel()
	eachLimiter(t, Rate{PerSecond: 100, Burst: 5}, func(t *testing.T, l Limiter, advance func(time.Duration)) {
		if n, _ := take(t, l, 50); n != 5 {
			t.Fatalf("%d permits at once, want the burst of 5", n)
		}
		n, wait := take(t, l, 1)
		if n != 0 || wait != 10*time.Millisecond {
			t.Fatalf("granted %d, wait %s; want 0 and 10ms", n, wait)
		}
		advance(wait - time.Microsecond)
		if n, _ := take(t, l, 1); n != 0 {
			t.Error("a permit before its time")
		}
		advance(time.Microsecond)
		if n, _ := take(t, l, 1); n != 1 {
			t.Error("no permit at its time")
		}
	})
}

// TestClockGoesBack: a server with an earlier clock (a failover) neither locks the
// fleet out until the old time comes again nor grants a second burst.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	eachLimiter(t, Rate{PerSecond: 100, Burst: 10}, func(t *testing.T, l Limiter, advance func(time.Duration)) {
		take(t, l, 10)
		advance(-time.Hour)
		if n, wait := take(t, l, 10); n != 0 || wait != 10*time.Millisecond {
			t.Errorf("granted %d, wait %s after the clock went back; want 0 and 10ms", n, wait)
		}
		advance(100 * time.Millisecond)
		if n, _ := take(t, l, 20); n > 10 || n < 9 {
			t.Errorf("%d permits a tenth of a second later, want 9 or 10", n)
		}
	})
}

// TestRateRefusals: what is no rate is refused in a sentence.
func TestRateRefusals(t *testing.T) {
	t.Parallel()
	for _, rate := range []Rate{{}, {PerSecond: -1}, {PerSecond: 1_000_001}, {PerSecond: 10, Burst: 11}, {PerSecond: 10, Burst: -1}} {
		if _, err := NewMemoryLimiter(rate, time.Now); err == nil {
			t.Errorf("%+v was taken", rate)
		}
	}
}

// TestRedisLimiterDown: without Redis nobody gets a permit.
func TestRedisLimiterDown(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l, err := NewRedisLimiter(openRedis(t, server.Addr()), "", Rate{PerSecond: 10})
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if n, _, err := l.Take(ctx, 1); n != 0 || err == nil {
		t.Errorf("granted %d, %v; want an error", n, err)
	}
}

// TestSmooth: one process gets the fleet's rate in small portions, and never what the
// fleet does not grant.
func TestSmooth(t *testing.T) {
	t.Parallel()
	rate := Rate{PerSecond: 1000}
	clock := &virtualClock{at: time.Unix(1_800_000_000, 0)}
	fleet, err := NewMemoryLimiter(rate, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	smooth, err := NewSmooth(fleet, rate, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := take(t, smooth, 100); n != 10 {
		t.Errorf("%d permits at once, want a hundredth of a second's 10", n)
	}
	take(t, fleet, 90) // the rest of the fleet
	clock.at = clock.at.Add(5 * time.Millisecond)
	if n, _ := take(t, smooth, 100); n != 5 {
		t.Errorf("%d permits 5 ms later, want 5", n)
	}
	take(t, fleet, 1000)
	clock.at = clock.at.Add(time.Millisecond)
	take(t, fleet, 1)
	if n, wait := take(t, smooth, 100); n != 0 || wait <= 0 {
		t.Errorf("%d permits, wait %s, where the fleet has none", n, wait)
	}
}
