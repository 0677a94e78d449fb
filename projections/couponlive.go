package projections

import (
	"bytes"
	"encoding/binary"
	"slices"

	"hongbao/schemas"
)

// liveCoupon is a coupon in memory: open, or changed since the last flush. Where there is one,
// the store's record and index keys are out of date and are passed over (P7).
type liveCoupon struct {
	*Coupon
	fresh  bool   // not in the store yet
	dirty  bool   // differs from the store
	stored [3]key // index keys in the store
}

// key is an index key with its space; empty for none.
type key struct {
	space Space
	bytes string
}

// indexKeys are the keys under which the store finds the coupon, by state, due time and expiry.
func (k *Coupon) indexKeys() (keys [3]key) {
	if st := k.awaited(); st != 0 {
		keys[0] = key{SpaceCouponStates, string(append([]byte{byte(st)}, k.ID[:]...))} //nolint:gosec // states are few
	}
	if at := k.due(); at != 0 {
		keys[1] = key{SpaceDue, string(timeKey(at, k.ID))}
	}
	if at := k.expires(); at != 0 {
		keys[2] = key{SpaceExpiry, string(timeKey(at, k.ID))}
	}
	return keys
}

func timeKey(timeMS int64, id schemas.CouponID) []byte {
	return append(appendKey(nil, uint64(timeMS)), id[:]...) //nolint:gosec // not negative
}

// coupon is a coupon from memory or the store, nil if there is none.
func (s *State) coupon(id schemas.CouponID) (*Coupon, error) {
	if k, ok := s.live[id]; ok {
		return k.Coupon, nil
	}
	s.key = append(s.key[:0], id[:]...)
	value, ok := s.get(SpaceCoupons)
	if !ok {
		return nil, s.err
	}
	k := &Coupon{ID: id}
	if err := k.readFrom(value); err != nil {
		s.fail(err)
		return nil, err
	}
	return k, nil
}

// change takes a coupon into memory until the next flush.
func (s *State) change(k *Coupon) *Coupon {
	v := s.live[k.ID]
	if v == nil {
		v = &liveCoupon{Coupon: k, stored: k.indexKeys()}
		s.live[k.ID] = v
	}
	v.dirty = true
	return v.Coupon
}

// flushCoupons writes changed coupons by id and moves their index keys. Open ones stay in memory.
func (s *State) flushCoupons(w Writer) {
	for _, id := range s.liveIDs(func(v *liveCoupon) bool { return v.dirty || v.fresh }) {
		v := s.live[id]
		s.value = v.appendTo(s.value[:0])
		w.Set(SpaceCoupons, id[:], s.value)
		now := v.indexKeys()
		for i, was := range v.stored {
			if was == now[i] {
				continue
			}
			if was.bytes != "" {
				w.Delete(was.space, []byte(was.bytes))
			}
			if now[i].bytes != "" {
				w.Set(now[i].space, []byte(now[i].bytes), nil)
			}
		}
		if v.fresh && v.OrderID != "" {
			w.Set(SpaceOrderCoupons, orderCouponKey(v.Coupon), nil)
		}
		v.stored, v.fresh, v.dirty = now, false, false
		if !v.isOpen() {
			delete(s.live, id)
		}
	}
}

func orderCouponKey(k *Coupon) []byte {
	order := orderKeyOf(k.Campaign, []byte(k.OrderID))
	return append(order[:], k.ID[:]...)
}

// liveIDs are the ids of the coupons in memory that match, in order: maps have none.
func (s *State) liveIDs(match func(*liveCoupon) bool) []schemas.CouponID {
	var ids []schemas.CouponID
	for id, v := range s.live {
		if match(v) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b schemas.CouponID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// idOf is the coupon id at the end of an index key.
func idOf(key []byte, front int) (id schemas.CouponID, err error) {
	if len(key) != front+len(id) {
		return id, errRecord
	}
	copy(id[:], key[front:])
	return id, nil
}

func timeOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key)) } //nolint:gosec // as written
