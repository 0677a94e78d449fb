package replay

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// Verdicts counts verdicts: ACCEPTED, DUPLICATE, and refusals by reason.
type Verdicts map[string]int64

func (v Verdicts) count(f *schemas.Fact) {
	switch f.Kind {
	case schemas.FactAccepted:
		v["ACCEPTED"]++
	case schemas.FactDuplicate:
		v["DUPLICATE"]++
	default:
		v[strings.TrimPrefix(f.Verdict.Reason.String(), "REASON_")]++
	}
}

// WhatIfReport is the payout diff. JSON names are a contract (`hongbao replay events --json`). Amounts are in hundredths of a currency.
type WhatIfReport struct {
	Campaign       int64      `json:"campaign"`
	VersionsBefore []int64    `json:"versions_before"` // that decided
	Version        int64      `json:"version"`         // of the file that was given
	Events         int64      `json:"events"`          // of the campaign, with a verdict
	OtherCampaigns int64      `json:"other_campaigns"` // events of others: they only count for the share limit
	Kept           int64      `json:"kept"`            // verdicts taken as they were, because their events are gone
	Changed        int64      `json:"changed"`         // events that are accepted in one of the two histories alone
	Before         Verdicts   `json:"verdicts_before"`
	After          Verdicts   `json:"verdicts_after"`
	Rules          []RuleDiff `json:"rules"`
	Totals         []Total    `json:"totals"`  // by currency
	Largest        []UserDiff `json:"largest"` // the changes of most value, largest first; see Largest
	Stock          []StockUse `json:"stock"`   // what the file declares, and what would be granted

	rows []Row
	file *schemas.Campaign
}

// RuleDiff is what one rule grants to everybody.
type RuleDiff struct {
	Line
	Grants
	DeltaMinor int64 `json:"delta_minor"`
}

// Total is what everybody is granted in one currency.
type Total struct {
	Currency string `json:"currency"`
	Grants
	DeltaMinor  int64 `json:"delta_minor"`
	UsersBefore int64 `json:"users_before"` // who are granted something
	UsersAfter  int64 `json:"users_after"`
	UsersMore   int64 `json:"users_more"` // who get more than before
	UsersLess   int64 `json:"users_less"`
}

// UserDiff is what one user is granted in one currency.
type UserDiff struct {
	User     int64  `json:"user,string"`
	Currency string `json:"currency"`
	Grants
	DeltaMinor int64 `json:"delta_minor"`
}

// StockUse compares grants with the stock that the file declares. Beyond it coupons FAIL for want of stock, the latest first.
type StockUse struct {
	Coupon   string `json:"coupon"`
	Declared int64  `json:"declared"`
	Granted  int64  `json:"granted"`
}

func newWhatIfReport(file *schemas.Campaign) WhatIfReport {
	return WhatIfReport{
		Campaign: file.ID, Version: file.Version, VersionsBefore: []int64{}, Before: Verdicts{}, After: Verdicts{},
		Rules: []RuleDiff{}, Totals: []Total{}, Largest: []UserDiff{}, Stock: []StockUse{}, file: file,
	}
}

// largestKept is how many changes a report holds.
const largestKept = 1000

func (r *WhatIfReport) finish(l *ledger, feeds []*feed) {
	r.rows = l.rows()
	rules, totals := map[Line]*RuleDiff{}, map[string]*Total{}
	for i := range r.rows {
		row := &r.rows[i]
		rule := rules[row.Line]
		if rule == nil {
			rule = &RuleDiff{Line: row.Line}
			rules[row.Line] = rule
		}
		rule.add(row.Grants)
	}
	for _, u := range r.users() {
		t := totals[u.Currency]
		if t == nil {
			t = &Total{Currency: u.Currency}
			totals[u.Currency] = t
		}
		t.add(u.Grants)
		t.UsersBefore += one(u.BeforeCount > 0)
		t.UsersAfter += one(u.AfterCount > 0)
		t.UsersMore += one(u.DeltaMinor > 0)
		t.UsersLess += one(u.DeltaMinor < 0)
		if u.DeltaMinor != 0 {
			r.Largest = append(r.Largest, u)
		}
	}
	for _, rule := range rules {
		rule.DeltaMinor = rule.Delta()
		r.Rules = append(r.Rules, *rule)
	}
	slices.SortFunc(r.Rules, func(a, b RuleDiff) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Coupon, b.Coupon), cmp.Compare(a.Currency, b.Currency))
	})
	for _, currency := range slices.Sorted(maps.Keys(totals)) {
		t := totals[currency]
		t.DeltaMinor = t.Delta()
		r.Totals = append(r.Totals, *t)
	}
	slices.SortFunc(r.Largest, func(a, b UserDiff) int {
		return cmp.Or(cmp.Compare(abs(b.DeltaMinor), abs(a.DeltaMinor)), cmp.Compare(a.User, b.User), cmp.Compare(a.Currency, b.Currency))
	})
	r.Largest = slices.Clip(r.Largest[:min(len(r.Largest), largestKept)])
	r.stock()
	r.versions(feeds)
}

// users sums the rows, which are in the order of users, by user and currency.
func (r *WhatIfReport) users() []UserDiff {
	var all []UserDiff
	first := 0 // of the present user in all
	for i := range r.rows {
		row := &r.rows[i]
		if i == 0 || r.rows[i-1].User != row.User {
			first = len(all)
		}
		at := first
		for at < len(all) && all[at].Currency != row.Currency {
			at++
		}
		if at == len(all) {
			all = append(all, UserDiff{User: row.User, Currency: row.Currency})
		}
		all[at].add(row.Grants)
	}
	for i := range all {
		all[i].DeltaMinor = all[i].Delta()
	}
	return all
}

func (r *WhatIfReport) stock() {
	for i := range r.file.Coupons {
		k := &r.file.Coupons[i]
		use := StockUse{Coupon: string(k.Name), Declared: k.Stock}
		for _, rule := range r.Rules {
			if rule.Coupon == use.Coupon {
				use.Granted += rule.AfterCount
			}
		}
		r.Stock = append(r.Stock, use)
	}
}

func (r *WhatIfReport) versions(feeds []*feed) {
	seen := map[int64]bool{}
	for _, f := range feeds {
		for _, v := range f.versions {
			seen[v] = true
		}
	}
	r.VersionsBefore = append(r.VersionsBefore, slices.Sorted(maps.Keys(seen))...)
}

// Rows are everybody's grants, by user, then rule.
func (r *WhatIfReport) Rows() []Row { return r.rows }

func one(ok bool) int64 {
	if ok {
		return 1
	}
	return 0
}

func abs(n int64) int64 { return max(n, -n) }

// activation is the fact that brings the given file into force.
func activation(c *schemas.Campaign) *schemas.Fact {
	return &schemas.Fact{Kind: schemas.FactCampaignActivated, Rare: &pb.Fact{Body: &pb.Fact_CampaignActivated{CampaignActivated: &pb.CampaignActivated{
		Campaign: c.ID, Version: c.Version, Sha256: c.SHA256[:], Text: string(c.Text),
	}}}}
}
