package fsm

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/cockroachdb/datadriven" // defines -rewrite for every test of the package
)

//go:generate go test -run ^TestStateMachinesPage$ -rewrite .

const pageHead = `# State machines

Generated from the tables in ` + "`fsm/coupon.go` and `fsm/voucher.go`" + ` by ` + "`go generate ./fsm`" + `; a test fails when this
page and the tables differ.

`

const couponText = `## Coupon

A coupon is the entitlement, from its command on. FAILED: a rule said no, nobody need look. DEAD: a person must decide.

`

const couponNotes = `
- ` + "`exhaust`" + ` takes the place of ` + "`transient` and `unknown`" + ` after the 4th attempt of a round, and only when a lookup by key
  has found nothing.
- ` + "`redrive`" + ` leaves FAILED only after OUT_OF_STOCK or OUT_OF_BUDGET. After a final refusal of the issuer it starts the
  next round, which is part of the idempotency key; after EXHAUSTED or a rejection the round stays.

`

const voucherText = `## Voucher

A voucher is what the user holds once the coupon is COMPLETED; both have one id.

`

// page is the whole of docs/state-machines.md.
func page() []byte {
	var b bytes.Buffer
	b.WriteString(pageHead + couponText)
	fmt.Fprint(&b, "```mermaid\nstateDiagram-v2\n")
	left := make(map[string]bool)
	for _, row := range couponTable {
		for _, from := range row.from {
			left[CouponStateName(from)] = true
			arrow(&b, CouponStateName(from), CouponStateName(row.to), CouponEventName(row.event))
		}
	}
	for _, s := range couponStates {
		if s != "" && !left[s] {
			arrow(&b, s, "", "")
		}
	}
	fmt.Fprint(&b, "```\n"+couponNotes+voucherText+"```mermaid\nstateDiagram-v2\n")
	clear(left)
	for _, row := range voucherTable {
		for _, from := range row.from {
			left[VoucherStateName(from)] = true
			arrow(&b, VoucherStateName(from), VoucherStateName(row.to), VoucherEventName(row.event))
		}
	}
	for _, s := range voucherStates {
		if s != "" && !left[s] {
			arrow(&b, s, "", "")
		}
	}
	b.WriteString("```\n")
	return b.Bytes()
}

func arrow(b *bytes.Buffer, from, to, event string) {
	start := func(s string) string {
		if s == "" {
			return "[*]"
		}
		return s
	}
	fmt.Fprintf(b, "    %s --> %s", start(from), start(to))
	if event != "" {
		fmt.Fprintf(b, " : %s", event)
	}
	b.WriteString("\n")
}

// TestStateMachinesPage keeps the diagrams true to the tables.
func TestStateMachinesPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "state-machines.md")
	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile(path, page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page()) {
		t.Error("docs/state-machines.md differs from the tables: run go generate ./fsm")
	}
}
