package fsm

import (
	"context"
	"fmt"
	"strings"

	looplab "github.com/looplab/fsm"

	pb "hongbao/schemas/invitepb"
)

// absent stands for "no state yet" inside looplab, where a state needs a name.
const absent = "absent"

// Machine answers where a move leads. It holds no coupon: the state comes with each
// call, from the store. One per worker; not safe for concurrent use.
type Machine struct {
	coupon   *looplab.FSM
	voucher  *looplab.FSM
	coupons  map[string]pb.CouponState
	vouchers map[string]pb.VoucherState
}

// NewMachine builds both machines from the tables.
func NewMachine() *Machine {
	m := &Machine{
		coupons:  make(map[string]pb.CouponState, len(couponStates)),
		vouchers: make(map[string]pb.VoucherState, len(voucherStates)),
	}
	for s := range couponStates {
		m.coupons[stateKey(couponStates[s])] = pb.CouponState(s)
	}
	for s := range voucherStates {
		m.vouchers[stateKey(voucherStates[s])] = pb.VoucherState(s)
	}
	m.coupon = looplab.NewFSM(absent, couponRows(), nil)
	m.voucher = looplab.NewFSM(absent, voucherRows(), nil)
	return m
}

// Coupon says where event leads from a coupon's state; COUPON_STATE_UNSPECIFIED is
// the state before the creation. Any error is an *IllegalMove.
func (m *Machine) Coupon(from pb.CouponState, event pb.CouponEvent) (pb.CouponState, error) {
	state, ev := CouponStateName(from), CouponEventName(event)
	if ev != "" && (state != "" || from == 0) {
		if to, ok := move(m.coupon, stateKey(state), ev); ok {
			return m.coupons[to], nil
		}
	}
	return from, illegal("coupon", from, stateKey(state), event, ev, couponRows())
}

// Voucher says where event leads from a voucher's state; VOUCHER_STATE_UNSPECIFIED is
// the state before it was issued. Any error is an *IllegalMove.
func (m *Machine) Voucher(from pb.VoucherState, event pb.VoucherEvent) (pb.VoucherState, error) {
	state, ev := VoucherStateName(from), VoucherEventName(event)
	if ev != "" && (state != "" || from == 0) {
		if to, ok := move(m.voucher, stateKey(state), ev); ok {
			return m.vouchers[to], nil
		}
	}
	return from, illegal("voucher", from, stateKey(state), event, ev, voucherRows())
}

// move runs one event. The context is never a caller's: looplab leaves its machine in
// transition for good when the context ends in mid-move (F2). Can is asked first
// because Event searches the whole table to word its refusal.
func move(f *looplab.FSM, from, event string) (to string, ok bool) {
	f.SetState(from)
	if !f.Can(event) {
		return "", false
	}
	if err := f.Event(context.Background(), event); err != nil {
		return "", false
	}
	return f.Current(), true
}

// IllegalMove is the error of a move that stands in no table. A redelivery usually
// looks like one: the caller compares the state with what the move would have made.
type IllegalMove struct {
	Machine string   // "coupon" or "voucher"
	State   string   // "ISSUED"; "absent" before there is one
	Event   string   // "redeem"
	Legal   []string // events that the table has for State, in its order
}

// Error names the value and the rule, and what would be legal.
func (e *IllegalMove) Error() string {
	legal := "no event is"
	if len(e.Legal) > 0 {
		legal = strings.Join(e.Legal, ", ") + " would be"
	}
	return fmt.Sprintf("%s: event %s is not legal in state %s; %s (docs/state-machines.md)", e.Machine, e.Event, e.State, legal)
}

func illegal(machine string, from fmt.Stringer, state string, event fmt.Stringer, ev string, rows looplab.Events) error {
	e := &IllegalMove{Machine: machine, State: state, Event: ev}
	if state == absent && !strings.HasSuffix(from.String(), "UNSPECIFIED") {
		e.State = from.String()
	}
	if ev == "" {
		e.Event = event.String()
	}
	for _, row := range rows {
		for _, src := range row.Src {
			if src == e.State {
				e.Legal = append(e.Legal, row.Name)
			}
		}
	}
	return e
}

func stateKey(name string) string {
	if name == "" {
		return absent
	}
	return name
}

func couponRows() looplab.Events {
	rows := make(looplab.Events, len(couponTable))
	for i, m := range couponTable {
		src := make([]string, len(m.from))
		for j, s := range m.from {
			src[j] = stateKey(CouponStateName(s))
		}
		rows[i] = looplab.EventDesc{Name: CouponEventName(m.event), Src: src, Dst: CouponStateName(m.to)}
	}
	return rows
}

func voucherRows() looplab.Events {
	rows := make(looplab.Events, len(voucherTable))
	for i, m := range voucherTable {
		src := make([]string, len(m.from))
		for j, s := range m.from {
			src[j] = stateKey(VoucherStateName(s))
		}
		rows[i] = looplab.EventDesc{Name: VoucherEventName(m.event), Src: src, Dst: VoucherStateName(m.to)}
	}
	return rows
}
