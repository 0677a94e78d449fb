package schemas

import "bytes"

// Campaign is one version of a campaign's rules, parsed and validated. It is immutable.
type Campaign struct {
	Name     string // of the file, for sentences; no part of the rules
	ID       int64
	Version  int64
	StartsMS int64 // event time, inclusive
	EndsMS   int64 // event time, exclusive
	MaxDepth int32
	Refuse   bool // beyond: refuse
	Coupons  []CouponKind
	Rules    []Rule
	Budget   []Budget
	Text     []byte // the file as given
	SHA256   [32]byte
}

// CouponKind is one entry of coupons.
type CouponKind struct {
	Name       []byte
	Stock      int64
	ValidForMS int64
	ValueMinor int64
	Currency   []byte
}

// Kind finds a coupon kind by its name; nil: the campaign has none of that name, or is nil itself.
func (c *Campaign) Kind(name []byte) *CouponKind {
	if c == nil {
		return nil
	}
	for i := range c.Coupons {
		if bytes.Equal(c.Coupons[i].Name, name) {
			return &c.Coupons[i]
		}
	}
	return nil
}

// Budget bounds the value issued in one currency.
type Budget struct {
	Currency []byte
	Minor    int64
}

// Trigger says when a rule grants.
type Trigger uint8

// Rule triggers.
const (
	OnJoin Trigger = iota + 1
	OnDirectJoins
	OnPurchase
)

// Beneficiary says whom a rule pays.
type Beneficiary uint8

// Rule beneficiaries. ToLevel pays the ancestor Level hops above the joiner or buyer.
const (
	ToInvitee Beneficiary = iota + 1
	ToInviter
	ToLevel
	ToBuyer
)

// Rule is one reward rule.
type Rule struct {
	ID       []byte
	On       Trigger
	To       Beneficiary
	Level    int32 // of ToLevel, from 1
	Every    int64 // of OnDirectJoins
	Repeat   bool
	MinMinor int64 // of OnPurchase, in the coupon's currency
	Coupon   int32 // index into Coupons
}
