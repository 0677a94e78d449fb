package fsm

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"hongbao/schemas"
)

// transcript plays a file of testdata/fsm that reads like a morning at the issuer.
func transcript(t *testing.T, p place, file string) {
	datadriven.RunTest(t, filepath.Join("..", "testdata", "fsm", file), func(t *testing.T, d *datadriven.TestData) string {
		ctx := t.Context()
		switch d.Cmd {
		case "declare":
			return said(p.Declare(ctx, scanCampaign(t, d)))
		case "top-up":
			return said(p.TopUp(ctx, scanTopUp(t, d)))
		case "issue":
			return issueLines(t, p, d.Input)
		case "lookup":
			return lookupLines(t, p, d.Input)
		case "rebuild":
			var partition int32
			d.ScanArgs(t, "partition", &partition)
			sum, err := p.Rebuild(ctx, partition, func(yield func(Remembered) error) error {
				for line := range strings.FieldsSeq(strings.ReplaceAll(d.Input, " ", ",")) {
					if err := yield(scanRemembered(t, strings.Split(line, ","))); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return said(err)
			}
			return fmt.Sprintf("%d answers, %d restored, %d contradicted\n", sum.Answers, sum.Restored, sum.Contradicted)
		case "missing":
			missing, err := p.Missing(ctx)
			if err != nil {
				return said(err)
			}
			return fmt.Sprintf("partitions %v\n", missing)
		case "counts":
			return countLines(t, p)
		case "wipe":
			p.wipe()
			return ""
		case "restart":
			p.restart()
			return ""
		}
		t.Fatalf("unknown command %q", d.Cmd)
		return ""
	})
}

func said(err error) string {
	switch {
	case err == nil:
		return "ok\n"
	case errors.Is(err, ErrNotRebuilt):
		return "error: not rebuilt\n"
	}
	return "error: " + err.Error() + "\n"
}

func scanCampaign(t *testing.T, d *datadriven.TestData) *schemas.Campaign {
	c := &schemas.Campaign{ID: 1}
	for _, arg := range d.CmdArgs {
		n, err := strconv.ParseInt(arg.Vals[0], 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		switch {
		case arg.Key == "version":
			c.Version = n
		case arg.Key == strings.ToUpper(arg.Key):
			c.Budget = append(c.Budget, schemas.Budget{Currency: []byte(arg.Key), Minor: n})
		default:
			c.Coupons = append(c.Coupons, schemas.CouponKind{Name: []byte(arg.Key), Stock: n})
		}
	}
	return c
}

func scanTopUp(t *testing.T, d *datadriven.TestData) TopUp {
	u := TopUp{Campaign: 1}
	d.ScanArgs(t, "number", &u.Number)
	d.MaybeScanArgs(t, "kind", &u.Kind)
	d.MaybeScanArgs(t, "pieces", &u.Pieces)
	d.MaybeScanArgs(t, "currency", &u.Currency)
	d.MaybeScanArgs(t, "minor", &u.BudgetMinor)
	return u
}

// scanRequest reads "anna five 500 CNY [round]": the name is hashed to a coupon id.
func scanRequest(t *testing.T, f []string) Request {
	q := Request{ID: nameID(f[0]), Campaign: 1, Beneficiary: 7, Kind: f[1], Currency: f[3]}
	var err error
	if q.ValueMinor, err = strconv.ParseInt(f[2], 10, 64); err != nil {
		t.Fatal(err)
	}
	if len(f) > 4 {
		q.Round = atoi32(t, f[4])
	}
	return q
}

// scanRemembered reads the fields of a request and then "= answer".
func scanRemembered(t *testing.T, f []string) Remembered {
	n := len(f) - 1
	answer := Answer(slices.Index(answerNames[:], strings.ReplaceAll(f[n], "_", " ")))
	q := scanRequest(t, f[:n-1])
	return Remembered{Key: q.Key(), Answer: answer, Kind: q.Kind, ValueMinor: q.ValueMinor, Currency: q.Currency}
}

func atoi32(t *testing.T, s string) int32 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

func nameID(name string) schemas.CouponID {
	var n uint64
	for _, c := range name {
		n = n*131 + uint64(c)
	}
	return testID(n)
}

func issueLines(t *testing.T, p place, input string) string {
	var requests []Request
	var names []string
	for line := range strings.Lines(input) {
		f := strings.Fields(line)
		requests, names = append(requests, scanRequest(t, f)), append(names, f[0])
	}
	results := make([]Result, len(requests))
	err := p.Issue(t.Context(), requests, results)
	return resultLines(names, results, err)
}

func lookupLines(t *testing.T, p place, input string) string {
	var keys []Key
	var names []string
	for line := range strings.Lines(input) {
		f := strings.Fields(line)
		k := Key{Campaign: 1, ID: nameID(f[0])}
		if len(f) > 1 {
			k.Round = atoi32(t, f[1])
		}
		keys, names = append(keys, k), append(names, f[0])
	}
	results := make([]Result, len(keys))
	err := p.Lookup(t.Context(), keys, results)
	return resultLines(names, results, err)
}

func resultLines(names []string, results []Result, err error) string {
	var b strings.Builder
	if err != nil {
		b.WriteString(said(err))
	}
	for i, r := range results {
		fmt.Fprintf(&b, "%s: %s\n", names[i], r.Answer)
		if r.Detail != "" && err == nil {
			fmt.Fprintf(&b, "    %s\n", r.Detail)
		}
	}
	return b.String()
}

func countLines(t *testing.T, p place) string {
	c, err := p.Counts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version %d\n", c.Version)
	for _, k := range c.Kinds {
		fmt.Fprintf(&b, "%s: declared %d, done %d, left %d\n", k.Kind, k.Declared, k.Done, k.Left)
	}
	for _, m := range c.Budgets {
		if m.Limited {
			fmt.Fprintf(&b, "%s: declared %d, spent %d, left %d\n", m.Currency, m.Declared, m.Spent, m.Left)
		} else {
			fmt.Fprintf(&b, "%s: spent %d, no limit\n", m.Currency, m.Spent)
		}
	}
	remembered := make(map[Answer]int)
	err = p.Each(t.Context(), 1, func(_ Key, a Answer) error { remembered[a]++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for a := Done; a <= Refused; a++ {
		if remembered[a] > 0 {
			fmt.Fprintf(&b, "remembered %s: %d\n", a, remembered[a])
		}
	}
	return b.String()
}
