package fsm

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Limiter hands out permits to ask the issuer for one coupon each.
type Limiter interface {
	// Take asks for want >= 1 permits at once and gets 0..want of them; after fewer
	// than want, wait is how long until the next may be free. It never sleeps. An
	// error grants nothing: the caller waits and asks again, for without the limiter
	// nobody knows the rate of the fleet.
	Take(ctx context.Context, want int) (granted int, wait time.Duration, err error)
}

// Rate is a limit of events per second with a bounded burst.
type Rate struct {
	PerSecond int // 1..1,000,000
	Burst     int // permits that may come at once after a pause; 0 = a tenth of a second's
}

// Validate answers in a sentence.
func (r Rate) Validate() error {
	if r.PerSecond < 1 || r.PerSecond > 1_000_000 {
		return fmt.Errorf("rate %d/s: must be 1 to 1,000,000 a second", r.PerSecond)
	}
	if r.Burst < 0 || r.Burst > r.PerSecond {
		return fmt.Errorf("burst %d at %d/s: must be 0 (a tenth of a second's) to a second's", r.Burst, r.PerSecond)
	}
	return nil
}

// intervalUS is the time of one permit in whole microseconds, rounded up: a rate that
// does not divide a million is never exceeded, only missed by less than a microsecond
// a permit.
func (r Rate) intervalUS() int64 {
	return (1_000_000 + int64(r.PerSecond) - 1) / int64(r.PerSecond)
}

// toleranceUS is how far the arrival time may run ahead of now.
func (r Rate) toleranceUS() int64 {
	burst := int64(r.Burst)
	if burst == 0 {
		burst = max(1, int64(r.PerSecond)/10)
	}
	return burst * r.intervalUS()
}

// gcra is the generic cell rate algorithm in its virtual scheduling form: ITU-T
// I.371 (03/2004) annex A, and ATM Forum Traffic Management 4.0, section 4.4.2. arrivalUS is the theoretical
// arrival time after the permits granted so far. In any window of length W it grants
// at most burst + W / interval.
func gcra(arrivalUS, nowUS, intervalUS, toleranceUS int64, want int) (granted int, waitUS, nextUS int64) {
	next := max(arrivalUS, nowUS)
	// An arrival beyond the tolerance was never granted: the clock went back. The
	// bucket is then empty, not locked until the old time comes again.
	next = min(next, nowUS+toleranceUS)
	granted = int(min(int64(want), (nowUS+toleranceUS-next)/intervalUS))
	next += int64(granted) * intervalUS
	if granted < want {
		waitUS = next + intervalUS - toleranceUS - nowUS
	}
	return granted, waitUS, next
}

// MemoryLimiter limits one process, by its own clock. Safe for concurrent use.
type MemoryLimiter struct {
	rate Rate
	now  func() time.Time

	mu        sync.Mutex
	arrivalUS int64
}

// NewMemoryLimiter limits to rate by the clock now, which must not be nil.
func NewMemoryLimiter(rate Rate, now func() time.Time) (*MemoryLimiter, error) {
	if err := rate.Validate(); err != nil {
		return nil, err
	}
	return &MemoryLimiter{rate: rate, now: now}, nil
}

// Take keeps Limiter's contract. It never fails.
func (l *MemoryLimiter) Take(_ context.Context, want int) (int, time.Duration, error) {
	if want < 1 {
		return 0, 0, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	granted, waitUS, next := gcra(l.arrivalUS, l.now().UnixMicro(), l.rate.intervalUS(), l.rate.toleranceUS(), want)
	l.arrivalUS = next
	return granted, time.Duration(waitUS) * time.Microsecond, nil
}

// Smooth puts a local limiter before the fleet's. The local one keeps the fleet's
// rate with a hundredth of a second's burst, so that one process neither asks Redis
// for what the rate cannot give nor empties the fleet's burst in one go; the fleet's
// alone decides.
type Smooth struct {
	local *MemoryLimiter
	fleet Limiter
}

// NewSmooth puts a local limiter of rate's speed before fleet.
func NewSmooth(fleet Limiter, rate Rate, now func() time.Time) (*Smooth, error) {
	if err := rate.Validate(); err != nil {
		return nil, err
	}
	local, err := NewMemoryLimiter(Rate{PerSecond: rate.PerSecond, Burst: max(1, rate.PerSecond/100)}, now)
	if err != nil {
		return nil, err
	}
	return &Smooth{local: local, fleet: fleet}, nil
}

// Take keeps Limiter's contract. Permits that the fleet does not grant are not given
// back locally: they would only have smoothed.
func (s *Smooth) Take(ctx context.Context, want int) (int, time.Duration, error) {
	local, wait, err := s.local.Take(ctx, want)
	if err != nil || local == 0 {
		return 0, wait, err
	}
	granted, fleetWait, err := s.fleet.Take(ctx, local)
	return granted, max(wait, fleetWait), err
}
