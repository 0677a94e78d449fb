package fsm

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// tape hands out a fuzz input as small numbers: mostly names that exist, sometimes any number at all.
type tape []byte

func (b *tape) next() byte {
	if len(*b) == 0 {
		return 0
	}
	v := (*b)[0]
	*b = (*b)[1:]
	return v
}

// number is below names or just beyond them; the byte 255 is followed by any int32.
func (b *tape) number(names int) int32 {
	v := b.next()
	if v < 255 {
		return int32(v) % int32(names+2)
	}
	var raw [4]byte
	for i := range raw {
		raw[i] = b.next()
	}
	return int32(binary.LittleEndian.Uint32(raw[:]))
}

// walk is one coupon and its voucher under a sequence of inputs; the lists of moves are written by hand, beside the tables.
type walk struct {
	t                 *testing.T
	m                 *Machine
	coupons, vouchers map[string]string
	coupon            pb.CouponState
	voucher           pb.VoucherState
	round, attempts   int32
}

// FuzzMachine: whatever states, events, answers and reasons come, in whatever order, nothing panics and nothing moves but by the
// tables; what is refused leaves the machine as it was for whatever comes next (F1, F2).
func FuzzMachine(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 0, 2, 0, 3, 2, 5, 0, 2, 5, 0, 0, 13, 2, 1, 0})   // create, validate, allow, twice transient, due, done
	f.Add([]byte{0, 1, 0, 1, 0, 255, 1, 2, 3, 4, 1, 255, 9, 9, 9, 200}) // a doubled creation, events that are none
	f.Add([]byte{1, 1, 1, 2, 1, 5, 1, 3, 1, 4, 3, 8, 4, 3, 8, 9, 4, 7})
	coupons, vouchers := legalMoves(f, "coupon_moves.txt"), legalMoves(f, "voucher_moves.txt")
	machine := NewMachine()
	f.Fuzz(func(t *testing.T, input []byte) {
		w := &walk{t: t, m: machine, coupons: coupons, vouchers: vouchers}
		// Long sequences hold nothing that short ones do not, and take the fuzzer's time.
		for b := tape(input[:min(len(input), 64)]); len(b) > 0; {
			switch b.next() % 6 {
			case 0:
				w.coupon = w.moveCoupon(w.coupon, pb.CouponEvent(b.number(len(pb.CouponEvent_name))))
			case 1:
				w.voucher = w.moveVoucher(w.voucher, pb.VoucherEvent(b.number(len(pb.VoucherEvent_name))))
			case 2:
				w.answered(Answer(b.number(int(Absent) + 1)))
			case 3:
				w.redriven(pb.CouponState(b.number(len(pb.CouponState_name))), schemas.Reason(b.number(len(pb.Reason_name))))
			case 4: // from any state, as after a damaged store
				w.moveCoupon(pb.CouponState(b.number(len(pb.CouponState_name))), pb.CouponEvent(b.number(len(pb.CouponEvent_name))))
			case 5:
				w.moveVoucher(pb.VoucherState(b.number(len(pb.VoucherState_name))), pb.VoucherEvent(b.number(len(pb.VoucherEvent_name))))
			}
		}
	})
}

func (w *walk) moveCoupon(from pb.CouponState, event pb.CouponEvent) pb.CouponState {
	to, err := w.m.Coupon(from, event)
	key := unprefixed(from.String(), "COUPON_STATE_") + " " + strings.ToLower(unprefixed(event.String(), "COUPON_EVENT_"))
	w.check("coupon", key, w.coupons[key], unprefixed(to.String(), "COUPON_STATE_"), to == from, err)
	return to
}

func (w *walk) moveVoucher(from pb.VoucherState, event pb.VoucherEvent) pb.VoucherState {
	to, err := w.m.Voucher(from, event)
	key := unprefixed(from.String(), "VOUCHER_STATE_") + " " + strings.ToLower(unprefixed(event.String(), "VOUCHER_EVENT_"))
	want, _, _ := strings.Cut(w.vouchers[key], " ")
	w.check("voucher", key, want, unprefixed(to.String(), "VOUCHER_STATE_"), to == from, err)
	return to
}

func (w *walk) check(machine, key, want, got string, stayed bool, err error) {
	if want != "" {
		if err != nil || got != want {
			w.t.Fatalf("%s: %s leads to %s (%v), want %s", machine, key, got, err, want)
		}
		return
	}
	var illegal *IllegalMove
	if !errors.As(err, &illegal) || !stayed || !strings.HasPrefix(err.Error(), machine+": event ") {
		w.t.Fatalf("%s: %s leads to %s, stayed %t, and says %v", machine, key, got, stayed, err)
	}
}

// answered is the issuer's answer to the coupon's next attempt, whatever state it is in.
func (w *walk) answered(a Answer) {
	if w.attempts < 1<<30 {
		w.attempts++
	}
	ev := AfterAttempt(a, w.attempts)
	switch {
	case ev == pb.CouponEvent_COUPON_EVENT_UNSPECIFIED:
		return
	case ev == pb.CouponEvent_COUPON_EVENT_EXHAUST && (w.attempts < MaxAttempts || a == Unknown):
		w.t.Fatalf("answer %d exhausts a coupon after %d attempts (F6)", a, w.attempts)
	}
	if _, err := w.m.Coupon(pb.CouponState_COUPON_STATE_ISSUING, ev); err != nil {
		w.t.Fatalf("answer %d makes %s of ISSUING: %v", a, ev, err)
	}
	w.coupon = w.moveCoupon(w.coupon, ev)
	const now = 1_790_000_000_000
	id := schemas.CouponID{byte(a), byte(w.attempts), byte(w.round)}
	topic, due := RetryAfter(id, w.round, w.attempts, now)
	again, same := RetryAfter(id, w.round, w.attempts, now)
	if due < now+800 || due > now+36_000 || topic != again || due != same {
		w.t.Fatalf("attempt %d is due after %d ms on %s, then %d ms on %s (F7)", w.attempts, due-now, topic, same-now, again)
	}
}

// redriven is a person's wish: what the guard allows, the table does.
func (w *walk) redriven(state pb.CouponState, reason schemas.Reason) {
	next, err := Redrive(state, reason)
	if err != nil {
		if next || err.Error() == "" {
			w.t.Fatalf("refused, and the next round is %t: %v", next, err)
		}
		return
	}
	if to := w.moveCoupon(state, pb.CouponEvent_COUPON_EVENT_REDRIVE); to != pb.CouponState_COUPON_STATE_ISSUING {
		w.t.Fatalf("%s with %s may be redriven, to %s", state, reason, to)
	}
	if w.attempts = 0; next {
		w.round++
	}
}
