package fsm

import (
	"context"
	"fmt"
	"sync"

	"hongbao/internal/mutant"
	"hongbao/schemas"
)

// MemoryIssuer is the issuer in memory, for tests and simulation: the same answers as
// RedisIssuer, held to it by one conformance suite. Safe for concurrent use; it never
// looks at its context.
type MemoryIssuer struct {
	partitions int32

	mu      sync.Mutex
	life    int64
	rebuilt map[int32]bool
	ledgers map[int64]*ledger
	answers map[Key]Answer
}

// NewMemoryIssuer begins empty: nothing is issued until every partition is rebuilt.
func NewMemoryIssuer(partitions int32) (*MemoryIssuer, error) {
	if partitions < 1 {
		return nil, fmt.Errorf("memory issuer: %d partitions; must be the number of partitions of the topics", partitions)
	}
	m := &MemoryIssuer{partitions: partitions}
	m.Wipe()
	return m, nil
}

// Wipe forgets everything, as a Redis that was emptied, and says how many answers and campaigns that was.
func (m *MemoryIssuer) Wipe() (lost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lost = len(m.answers) + len(m.ledgers)
	m.life++
	m.rebuilt = make(map[int32]bool)
	m.ledgers = make(map[int64]*ledger)
	m.answers = make(map[Key]Answer)
	return lost
}

// Fail begins another life and forgets nothing, as a Redis that was restarted.
func (m *MemoryIssuer) Fail() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life++
	m.rebuilt = make(map[int32]bool)
}

func (m *MemoryIssuer) ready() bool { return len(m.rebuilt) == int(m.partitions) }

// Issue keeps Issuer's contract.
func (m *MemoryIssuer) Issue(_ context.Context, requests []Request, results []Result) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ready() {
		fill(results, Transient, ErrNotRebuilt.Error())
		return fmt.Errorf("issue %d coupons: %w", len(requests), ErrNotRebuilt)
	}
	for i := range requests {
		q := &requests[i]
		answer, ok := m.answers[q.Key()]
		if !ok || mutant.On(mutant.IssuedAgain) {
			answer = m.decide(q)
			if answer.Final() {
				m.answers[q.Key()] = answer
			}
		}
		results[i] = Result{Answer: answer, Detail: detailOf(answer, q)}
	}
	return nil
}

// decide is the rule of issue.lua.
func (m *MemoryIssuer) decide(q *Request) Answer {
	l := m.ledgers[q.Campaign]
	if l == nil || l.version == 0 {
		return Transient
	}
	stock, budget := of(l.stock, q.Kind), of(l.budget, q.Currency)
	switch {
	case !stock.declared, q.ValueMinor < 0, q.ValueMinor > schemas.MaxCount-budget.used:
		return Refused
	case stock.used+1 > stock.limit():
		return OutOfStock
	case budget.declared && budget.used+q.ValueMinor > budget.limit():
		return OutOfBudget
	}
	stock.used++
	budget.used += q.ValueMinor
	return Done
}

// Lookup keeps Issuer's contract.
func (m *MemoryIssuer) Lookup(_ context.Context, keys []Key, results []Result) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range keys {
		switch answer, ok := m.answers[keys[i]]; {
		case ok:
			results[i] = Result{Answer: answer}
		case m.ready():
			results[i] = Result{Answer: Absent}
		default:
			results[i] = Result{Answer: Unknown, Detail: ErrNotRebuilt.Error()}
		}
	}
	return nil
}
