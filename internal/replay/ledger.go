package replay

import (
	"cmp"
	"slices"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

const (
	reasonShareLimit       = pb.Reason_REASON_SHARE_LIMIT
	reasonClaimedElsewhere = pb.Reason_REASON_CLAIMED_ELSEWHERE
)

// ledger books what each user is granted by each rule, before and after.
type ledger struct {
	lines  []Line
	lineOf map[string]int32
	grants map[grantKey]Grants
	key    []byte
}

// Line is what a grant is: a rule, the coupon that it grants, and its currency.
type Line struct {
	Rule     string `json:"rule"`
	Coupon   string `json:"coupon"`
	Currency string `json:"currency"`
}

type grantKey struct {
	user int64
	line int32
}

// Grants are coupons and their value, in hundredths of the currency, before and after.
type Grants struct {
	BeforeCount int64 `json:"before_count"`
	AfterCount  int64 `json:"after_count"`
	BeforeMinor int64 `json:"before_minor"`
	AfterMinor  int64 `json:"after_minor"`
}

func (g *Grants) add(o Grants) {
	g.BeforeCount += o.BeforeCount
	g.AfterCount += o.AfterCount
	g.BeforeMinor += o.BeforeMinor
	g.AfterMinor += o.AfterMinor
}

// Delta is after less before, in minor units.
func (g *Grants) Delta() int64 { return g.AfterMinor - g.BeforeMinor }

func newLedger() ledger { return ledger{lineOf: map[string]int32{}, grants: map[grantKey]Grants{}} }

func (l *ledger) book(user int64, rule, coupon, currency []byte, g Grants) {
	l.key = append(append(append(append(append(l.key[:0], rule...), 0), coupon...), 0), currency...)
	line, ok := l.lineOf[string(l.key)]
	if !ok {
		line = int32(len(l.lines)) //nolint:gosec // rules are few
		l.lines = append(l.lines, Line{string(rule), string(coupon), string(currency)})
		l.lineOf[string(l.key)] = line
	}
	k := grantKey{user, line}
	have := l.grants[k]
	have.add(g)
	l.grants[k] = have
}

// before books a recorded reward; false: the rules do not know its coupon.
func (l *ledger) before(r *schemas.Reward, rules *schemas.Campaign) bool {
	k := rules.Kind(r.Coupon)
	if k == nil {
		return false
	}
	l.book(r.Beneficiary, r.Rule, r.Coupon, k.Currency, Grants{BeforeCount: 1, BeforeMinor: k.ValueMinor})
	return true
}

// after books a reward of now.
func (l *ledger) after(r *schemas.Reward) {
	l.book(r.Beneficiary, r.Rule, r.Coupon, r.Currency, Grants{AfterCount: 1, AfterMinor: r.ValueMinor})
}

// keep books a recorded reward that stands.
func (l *ledger) keep(r *schemas.Reward, rules *schemas.Campaign) {
	if k := rules.Kind(r.Coupon); k != nil {
		l.book(r.Beneficiary, r.Rule, r.Coupon, k.Currency, Grants{AfterCount: 1, AfterMinor: k.ValueMinor})
	}
}

// Row is one user's grants by one line.
type Row struct {
	User int64 `json:"user,string"`
	Line
	Grants
}

// rows are all grants, by user, rule, coupon and currency.
func (l *ledger) rows() []Row {
	rows := make([]Row, 0, len(l.grants))
	for k, g := range l.grants {
		rows = append(rows, Row{k.user, l.lines[k.line], g})
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Coupon, b.Coupon), cmp.Compare(a.Currency, b.Currency))
	})
	return rows
}
