package fsm

import (
	"context"
	"fmt"

	"hongbao/schemas"
)

func (m *MemoryIssuer) ledger(campaign int64) *ledger {
	l := m.ledgers[campaign]
	if l == nil {
		l = newLedger()
		m.ledgers[campaign] = l
	}
	return l
}

// Declare keeps Stock's contract.
func (m *MemoryIssuer) Declare(_ context.Context, c *schemas.Campaign) error {
	if err := checkDeclaration(c); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.ledger(c.ID)
	if l.version >= c.Version {
		return nil
	}
	l.version = c.Version
	l.undeclare()
	for i := range c.Coupons {
		a := of(l.stock, string(c.Coupons[i].Name))
		a.declared, a.base = true, c.Coupons[i].Stock
	}
	for i := range c.Budget {
		a := of(l.budget, string(c.Budget[i].Currency))
		a.declared, a.base = true, c.Budget[i].Minor
	}
	return nil
}

// TopUp keeps Stock's contract.
func (m *MemoryIssuer) TopUp(_ context.Context, t TopUp) error {
	if err := checkTopUp(&t); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.ledger(t.Campaign)
	if l.topUps[t.Number] {
		return nil
	}
	if t.Pieces > 0 && of(l.stock, t.Kind).extra > schemas.MaxCount-t.Pieces ||
		t.BudgetMinor > 0 && of(l.budget, t.Currency).extra > schemas.MaxCount-t.BudgetMinor {
		return fmt.Errorf("top up campaign %d, change %d: %w", t.Campaign, t.Number, errTooMuch)
	}
	if t.Pieces > 0 {
		of(l.stock, t.Kind).extra += t.Pieces
	}
	if t.BudgetMinor > 0 {
		of(l.budget, t.Currency).extra += t.BudgetMinor
	}
	l.topUps[t.Number] = true
	return nil
}

// Missing keeps Stock's contract.
func (m *MemoryIssuer) Missing(context.Context) ([]int32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var missing []int32
	for p := range m.partitions {
		if !m.rebuilt[p] {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// Rebuild keeps Stock's contract.
func (m *MemoryIssuer) Rebuild(_ context.Context, partition int32, each func(yield func(Remembered) error) error) (Rebuilt, error) {
	var sum Rebuilt
	if partition < 0 || partition >= m.partitions {
		return sum, fmt.Errorf("rebuild partition %d: there are %d", partition, m.partitions)
	}
	m.mu.Lock()
	life := m.life
	m.mu.Unlock()
	err := each(func(r Remembered) error {
		if err := checkRemembered(&r); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.restore(&r, &sum)
		return nil
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && m.life != life {
		err = ErrNotRebuilt
	}
	if err != nil {
		return sum, fmt.Errorf("rebuild partition %d: %w", partition, err)
	}
	m.rebuilt[partition] = true
	return sum, nil
}

// restore is the rule of restore.lua.
func (m *MemoryIssuer) restore(r *Remembered, sum *Rebuilt) {
	known, ok := m.answers[r.Key]
	sum.Answers++
	switch {
	case !ok:
		sum.Restored++
	case known == r.Answer:
		return
	default:
		sum.Contradicted++
		if r.Answer != Done {
			return
		}
	}
	m.answers[r.Key] = r.Answer
	if r.Answer == Done {
		l := m.ledger(r.Campaign)
		of(l.stock, r.Kind).used++
		of(l.budget, r.Currency).used += r.ValueMinor
	}
}

// Counts is what is known of a campaign, kinds and currencies in order of name.
func (m *MemoryIssuer) Counts(_ context.Context, campaign int64) (Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.ledgers[campaign]; l != nil {
		return l.counts(), nil
	}
	return Counts{}, nil
}

// Each calls fn with every remembered answer of a campaign, in no promised order.
func (m *MemoryIssuer) Each(_ context.Context, campaign int64, fn func(Key, Answer) error) error {
	m.mu.Lock()
	answers := make(map[Key]Answer)
	for k, a := range m.answers {
		if k.Campaign == campaign {
			answers[k] = a
		}
	}
	m.mu.Unlock()
	for k, a := range answers {
		if err := fn(k, a); err != nil {
			return err
		}
	}
	return nil
}
