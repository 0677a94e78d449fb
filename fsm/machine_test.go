package fsm

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "hongbao/schemas/invitepb"
)

// legalMoves reads a hand-written list: "STATE event -> RESULT" by "STATE event".
func legalMoves(t testing.TB, file string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", "fsm", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	moves := make(map[string]string)
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		left, right, ok := strings.Cut(line, "->")
		pair := strings.Fields(left)
		if !ok || len(pair) != 2 {
			t.Fatalf("%s: line %q is not \"state event -> result\"", file, line)
		}
		key := pair[0] + " " + pair[1]
		if moves[key] != "" {
			t.Fatalf("%s: %s stands there twice", file, key)
		}
		moves[key] = strings.TrimSpace(right)
	}
	return moves
}

// unprefixed is the enum's own name: independent of the names in the tables.
func unprefixed(full, prefix string) string {
	name := strings.TrimPrefix(full, prefix)
	if name == "UNSPECIFIED" {
		return absent
	}
	return name
}

// TestCouponMatrix asks the machine for every pair of state and event that the
// contract has, and one number beyond each (F1).
func TestCouponMatrix(t *testing.T) {
	t.Parallel()
	m, want := NewMachine(), legalMoves(t, "coupon_moves.txt")
	for s := range int32(len(pb.CouponState_name) + 1) {
		for e := range int32(len(pb.CouponEvent_name) + 1) {
			from, event := pb.CouponState(s), pb.CouponEvent(e)
			state := unprefixed(from.String(), "COUPON_STATE_")
			key := state + " " + strings.ToLower(unprefixed(event.String(), "COUPON_EVENT_"))
			to, err := m.Coupon(from, event)
			checkMove(t, key, unprefixed(to.String(), "COUPON_STATE_"), state, err, want)
		}
	}
	for key := range want {
		t.Errorf("%q is in the list and no pair of the enums", key)
	}
}

// TestVoucherMatrix is the same for the voucher.
func TestVoucherMatrix(t *testing.T) {
	t.Parallel()
	m, want := NewMachine(), legalMoves(t, "voucher_moves.txt")
	for s := range int32(len(pb.VoucherState_name) + 1) {
		for e := range int32(len(pb.VoucherEvent_name) + 1) {
			from, event := pb.VoucherState(s), pb.VoucherEvent(e)
			state := unprefixed(from.String(), "VOUCHER_STATE_")
			key := state + " " + strings.ToLower(unprefixed(event.String(), "VOUCHER_EVENT_"))
			to, err := m.Voucher(from, event)
			checkMove(t, key, unprefixed(to.String(), "VOUCHER_STATE_"), state, err, want)
		}
	}
	for key := range want {
		t.Errorf("%q is in the list and no pair of the enums", key)
	}
}

// checkMove takes a pair that it has seen out of want.
func checkMove(t *testing.T, key, to, from string, err error, want map[string]string) {
	t.Helper()
	legal, ok := want[key]
	delete(want, key)
	if ok {
		if err != nil || to != legal {
			t.Errorf("%s: got %s, %v; want %s", key, to, err, legal)
		}
		return
	}
	var refused *IllegalMove
	if !errors.As(err, &refused) || to != from {
		t.Errorf("%s: got %s, %v; want an *IllegalMove and the state unchanged", key, to, err)
	}
}

// TestIllegalMoveSentence: the error names state, event and what would be legal.
func TestIllegalMoveSentence(t *testing.T) {
	t.Parallel()
	m := NewMachine()
	_, couponErr := m.Coupon(pb.CouponState_COUPON_STATE_HELD, pb.CouponEvent_COUPON_EVENT_DONE)
	_, finalErr := m.Coupon(pb.CouponState_COUPON_STATE_COMPLETED, pb.CouponEvent_COUPON_EVENT_REDRIVE)
	_, strangeErr := m.Coupon(99, 77)
	_, voucherErr := m.Voucher(0, pb.VoucherEvent_VOUCHER_EVENT_REDEEM)
	for _, c := range []struct {
		err  error
		want string
	}{
		{couponErr, "coupon: event done is not legal in state HELD; reject, approve, order_reversed would be (docs/state-machines.md)"},
		{finalErr, "coupon: event redrive is not legal in state COMPLETED; no event is (docs/state-machines.md)"},
		{strangeErr, "coupon: event 77 is not legal in state 99; no event is (docs/state-machines.md)"},
		{voucherErr, "voucher: event redeem is not legal in state absent; issue would be (docs/state-machines.md)"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", c.err, c.want)
		}
	}
}

// TestMachineIsNotStuck: a refused move leaves nothing behind for the next one (F2).
func TestMachineIsNotStuck(t *testing.T) {
	t.Parallel()
	m := NewMachine()
	for range 3 {
		if _, err := m.Coupon(pb.CouponState_COUPON_STATE_DEAD, pb.CouponEvent_COUPON_EVENT_DONE); err == nil {
			t.Fatal("DEAD took done")
		}
		to, err := m.Coupon(pb.CouponState_COUPON_STATE_PENDING, pb.CouponEvent_COUPON_EVENT_VALIDATE)
		if err != nil || to != pb.CouponState_COUPON_STATE_VALIDATING {
			t.Fatalf("after a refusal: got %s, %v", to, err)
		}
	}
}

// TestRedriveMatrix asks for every pair of state and reason that the contract has.
func TestRedriveMatrix(t *testing.T) {
	t.Parallel()
	want := legalMoves(t, "redrive.txt")
	for s := range int32(len(pb.CouponState_name)) {
		for r := range pb.Reason_name {
			state, reason := pb.CouponState(s), pb.Reason(r)
			key := unprefixed(state.String(), "COUPON_STATE_") + " " + unprefixed(reason.String(), "REASON_")
			next, err := Redrive(state, reason)
			legal, ok := want[key]
			delete(want, key)
			if ok != (err == nil) || next != (legal == "next round") {
				t.Errorf("%s: got next round %t, %v; want %q", key, next, err, legal)
			}
		}
	}
	for key := range want {
		t.Errorf("%q is in the list and no pair of the enums", key)
	}
}

// TestResultTypes holds the event_type of each move against domain.md section 6.
func TestResultTypes(t *testing.T) {
	t.Parallel()
	for s, name := range pb.CouponState_name {
		want := "coupon_" + strings.ToLower(unprefixed(name, "COUPON_STATE_"))
		if s == 0 {
			want = ""
		}
		if got := CouponResultType(pb.CouponState(s)); got != want {
			t.Errorf("move to %s: event_type %q, want %q", name, got, want)
		}
	}
	vouchers := []string{"", "voucher_issued", "voucher_used", "voucher_expired", "voucher_revoked", "voucher_rolled_back"}
	for e, want := range vouchers {
		if got := VoucherResultType(pb.VoucherEvent(e)); got != want {
			t.Errorf("%s: event_type %q, want %q", pb.VoucherEvent(e), got, want)
		}
	}
	if len(vouchers) != len(pb.VoucherEvent_name) || slices.Contains(vouchers[1:], "") {
		t.Error("an event of the voucher has no event_type")
	}
	if CouponResultType(-1) != "" || CouponResultType(99) != "" || VoucherResultType(99) != "" {
		t.Error("a number that is no state or event has an event_type")
	}
}

// BenchmarkCouponMove is one legal move; speed is bought elsewhere, for a coupon makes
// a handful of moves at 1000 coupons a second.
func BenchmarkCouponMove(b *testing.B) {
	m := NewMachine()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Coupon(pb.CouponState_COUPON_STATE_ISSUING, pb.CouponEvent_COUPON_EVENT_DONE); err != nil {
			b.Fatal(err)
		}
	}
}
