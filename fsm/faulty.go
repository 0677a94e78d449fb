package fsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// ErrFault is the error of a fault that Faulty made.
var ErrFault = errors.New("fault made on purpose")

// Faults are probabilities 0..1 of one call's fate; what is left of 1 goes well.
type Faults struct {
	Refused float64 // nothing happens, and the caller is told so: Transient
	Hangs   float64 // nothing happens, and the caller waits until its context ends: Unknown
	Lost    float64 // it happens, and the answer is lost: Unknown
	Late    float64 // it happens, and the answer comes only when the context ends: Unknown
}

// Faulty is an Issuer that fails by a seeded schedule, for tests and simulation: the
// n-th call of one seed always meets the same fate. Safe for concurrent use.
type Faulty struct {
	inner  Issuer
	faults Faults

	mu  sync.Mutex
	rng *rand.Rand
}

// NewFaulty puts faults before inner.
func NewFaulty(inner Issuer, seed uint64, faults Faults) *Faulty {
	return &Faulty{inner: inner, faults: faults, rng: rand.New(rand.NewPCG(seed, 0))}
}

// Issue keeps Issuer's contract, badly.
func (f *Faulty) Issue(ctx context.Context, requests []Request, results []Result) error {
	return f.call(ctx, results, func() error { return f.inner.Issue(ctx, requests, results) })
}

// Lookup keeps Issuer's contract, badly.
func (f *Faulty) Lookup(ctx context.Context, keys []Key, results []Result) error {
	return f.call(ctx, results, func() error { return f.inner.Lookup(ctx, keys, results) })
}

func (f *Faulty) call(ctx context.Context, results []Result, inner func() error) error {
	draw := f.draw()
	fate := func(p float64) bool {
		hit := draw < p
		draw -= p
		return hit
	}
	switch {
	case fate(f.faults.Refused):
		fill(results, Transient, ErrFault.Error())
		return ErrFault
	case fate(f.faults.Hangs):
		<-ctx.Done()
		fill(results, Unknown, ctx.Err().Error())
		return ctx.Err()
	case fate(f.faults.Lost):
		if err := inner(); err != nil {
			return err
		}
		fill(results, Unknown, ErrFault.Error())
		return ErrFault
	case fate(f.faults.Late):
		if err := inner(); err != nil {
			return err
		}
		<-ctx.Done()
		fill(results, Unknown, ctx.Err().Error())
		return ctx.Err()
	}
	return inner()
}

func (f *Faulty) draw() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.Float64()
}

// fill gives every result the same answer.
func fill(results []Result, a Answer, detail string) {
	for i := range results {
		results[i] = Result{Answer: a, Detail: detail}
	}
}
