package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hongbao/schemas"
)

var errTooMuch = errors.New("would exceed 2^53-1 in all, the most that the issuer counts exactly")

// account is what is declared and used of one kind or currency.
type account struct {
	declared bool
	base     int64 // by the campaign version
	extra    int64 // by top-ups
	used     int64 // done, or spent
}

func (a *account) limit() int64 { return a.base + a.extra }

// ledger is one campaign's stock and budget; in Redis a hash with these fields.
type ledger struct {
	version int64
	stock   map[string]*account
	budget  map[string]*account
	topUps  map[int64]bool
}

func newLedger() *ledger {
	return &ledger{stock: make(map[string]*account), budget: make(map[string]*account), topUps: make(map[int64]bool)}
}

func of(accounts map[string]*account, name string) *account {
	a := accounts[name]
	if a == nil {
		a = &account{}
		accounts[name] = a
	}
	return a
}

// set takes one field of a campaign's hash; the names are explained in issue.lua.
func (l *ledger) set(field string, n int64) {
	prefix, name, _ := strings.Cut(field, ":")
	switch prefix {
	case "v":
		l.version = n
	case "s":
		a := of(l.stock, name)
		a.declared, a.base = true, n
	case "S":
		of(l.stock, name).extra = n
	case "n":
		of(l.stock, name).used = n
	case "b":
		a := of(l.budget, name)
		a.declared, a.base = true, n
	case "B":
		of(l.budget, name).extra = n
	case "m":
		of(l.budget, name).used = n
	}
}

// undeclare is before a version declares what it names.
func (l *ledger) undeclare() {
	for _, accounts := range []map[string]*account{l.stock, l.budget} {
		for _, a := range accounts {
			a.declared, a.base = false, 0
		}
	}
}

func (l *ledger) counts() Counts {
	c := Counts{Version: l.version}
	for name, a := range l.stock {
		if *a == (account{}) {
			continue // asked for, never declared
		}
		c.Kinds = append(c.Kinds, KindCount{Kind: name, Declared: a.limit(), Done: a.used, Left: a.limit() - a.used})
	}
	for name, a := range l.budget {
		if *a == (account{}) {
			continue
		}
		b := BudgetCount{Currency: name, Limited: a.declared, Declared: a.limit(), Spent: a.used}
		if b.Limited {
			b.Left = b.Declared - b.Spent
		}
		c.Budgets = append(c.Budgets, b)
	}
	slices.SortFunc(c.Kinds, func(a, b KindCount) int { return strings.Compare(a.Kind, b.Kind) })
	slices.SortFunc(c.Budgets, func(a, b BudgetCount) int { return strings.Compare(a.Currency, b.Currency) })
	return c
}

func checkDeclaration(c *schemas.Campaign) error {
	if c.ID < 1 || c.Version < 1 || c.Version > schemas.MaxCount {
		return fmt.Errorf("declare campaign %d version %d: the id must be positive, the version in 1..2^53-1", c.ID, c.Version)
	}
	for i := range c.Coupons {
		if k := &c.Coupons[i]; k.Stock < 0 || k.Stock > schemas.MaxCount {
			return fmt.Errorf("declare campaign %d version %d: stock of %q is %d; must be 0..2^53-1", c.ID, c.Version, k.Name, k.Stock)
		}
	}
	for i := range c.Budget {
		if b := &c.Budget[i]; b.Minor < 0 || b.Minor > schemas.MaxCount {
			return fmt.Errorf("declare campaign %d version %d: budget in %q is %d; must be 0..2^53-1", c.ID, c.Version, b.Currency, b.Minor)
		}
	}
	return nil
}

func checkTopUp(t *TopUp) error {
	switch {
	case t.Campaign < 1 || t.Number < 1:
		return fmt.Errorf("top up campaign %d, change %d: both must be positive", t.Campaign, t.Number)
	case t.Pieces < 0 || t.BudgetMinor < 0 || t.Pieces > schemas.MaxCount || t.BudgetMinor > schemas.MaxCount:
		return fmt.Errorf("top up campaign %d, change %d: %d pieces and %d minor units; a top-up only raises, by at most 2^53-1", t.Campaign, t.Number, t.Pieces, t.BudgetMinor)
	case t.Pieces > 0 && t.Kind == "" || t.BudgetMinor > 0 && t.Currency == "":
		return fmt.Errorf("top up campaign %d, change %d: pieces need a coupon kind, budget a currency", t.Campaign, t.Number)
	}
	return nil
}

func checkRemembered(m *Remembered) error {
	if !m.Answer.Final() {
		return fmt.Errorf("coupon %x round %d: %q is not a final answer and cannot be restored", m.ID, m.Round, m.Answer)
	}
	if m.Answer == Done && (m.ValueMinor < 0 || m.ValueMinor > schemas.MaxCount) {
		return fmt.Errorf("coupon %x round %d: value %d; must be 0..2^53-1", m.ID, m.Round, m.ValueMinor)
	}
	return nil
}
