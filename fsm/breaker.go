package fsm

import (
	"context"
	"errors"

	"github.com/sony/gobreaker/v2"
)

// newBreaker opens after a few failed calls in a row, so that an issuer that is down
// costs a handful of attempts and not all four of every coupon. An issuer that is not
// rebuilt has answered: it is up, and the pool waits for it without the breaker.
func newBreaker(cfg *PoolConfig) *gobreaker.CircuitBreaker[struct{}] {
	after := cfg.BreakAfter
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        "issuer",
		Timeout:     cfg.BreakFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= after },
		IsExcluded:  func(err error) bool { return errors.Is(err, ErrNotRebuilt) },
	})
}

// probe asks an open breaker's issuer with a lookup, which uses up no attempt. Nil
// means that calls may be made again.
func (p *Pool) probe(ctx context.Context, key Key) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.AttemptTimeout)
	defer cancel()
	_, err := p.breaker.Execute(func() (struct{}, error) {
		var result [1]Result
		return struct{}{}, p.cfg.Issuer.Lookup(ctx, []Key{key}, result[:])
	})
	return err
}
