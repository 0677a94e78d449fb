package projections

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// Order is an accepted purchase. Orders live in the store; those changed since the last flush
// stand in State.orders, with Seq 0 those that the store was found not to have.
type Order struct {
	Seq         int64 // of the purchase's fact
	Chain       int64
	Buyer       int64
	ReversedSeq int64 // of the reversal's fact; 0: not reversed
	Granted     int32 // rewards of the purchase
}

// orderKey is campaign and hash of the order id, as in the store.
type orderKey [8 + 16]byte

func orderKeyOf(campaign int64, orderID []byte) (k orderKey) {
	binary.BigEndian.PutUint64(k[:], uint64(campaign)) //nolint:gosec // ids are positive
	h := xxh3.Hash128(orderID).Bytes()
	copy(k[8:], h[:])
	return k
}

func (o *Order) appendTo(dst []byte) []byte {
	for _, v := range [...]int64{o.Seq, o.Chain, o.Buyer, o.ReversedSeq, int64(o.Granted)} {
		dst = appendInt(dst, v)
	}
	return dst
}

func (o *Order) readFrom(src []byte) error {
	r := recordReader{b: src}
	*o = Order{Seq: r.int(), Chain: r.int(), Buyer: r.int(), ReversedSeq: r.int(), Granted: r.int32()}
	return r.end("order")
}

func (s *State) order(c *campaign, orderID []byte) (o Order, ok bool) {
	k := orderKeyOf(c.id, orderID)
	if o, ok = s.orders[k]; ok {
		return o, o.Seq != 0
	}
	s.key = append(s.key[:0], k[:]...)
	value, ok := s.get(SpaceOrders)
	if !ok {
		s.orders[k] = Order{} // probed, decided and folded, a new order is looked for three times
		return Order{}, false
	}
	if err := o.readFrom(value); err != nil {
		s.fail(err)
		return Order{}, false
	}
	return o, true
}

// Order is what is known of an order. A coupon of a reversed order is not to be issued.
func (s *State) Order(campaign int64, orderID string) (Order, bool, error) {
	c := s.campaign(campaign)
	if c == nil {
		return Order{}, false, s.err
	}
	o, ok := s.order(c, []byte(orderID))
	return o, ok, s.err
}
