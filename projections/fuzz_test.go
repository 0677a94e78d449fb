package projections

import (
	"bytes"
	"testing"
)

// FuzzRecords: bytes from the store are a record or an error, never a crash; and what is read is
// written again byte by byte, since the bytes are hashed.
func FuzzRecords(f *testing.F) {
	w := newHot(f, 1)
	for range 200 {
		w.grow(f, 0)
	}
	c := w.states[0].campaigns[0]
	header := []byte{pageFormat | pageKeyed, 1, 2}
	f.Add(byte(0), c.members.at(0).appendTo(bytes.Clone(header)))
	f.Add(byte(1), c.inviters.at(0).appendTo(bytes.Clone(header)))
	f.Add(byte(2), c.chains.at(0).appendTo(bytes.Clone(header)))
	f.Add(byte(3), c.shares.at(0).appendTo(bytes.Clone(header)))
	coupon := Coupon{State: 3, Campaign: 1, Kind: "five", LastError: "e", DueMS: 7, OrderReversed: true}
	f.Add(byte(4), coupon.appendTo(nil))
	order := Order{Seq: 1, Chain: 2, Buyer: 3}
	f.Add(byte(5), order.appendTo(nil))
	f.Add(byte(6), c.Stats.appendTo(nil))
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		var again []byte
		var err error
		switch kind % 7 {
		case 0:
			again, err = rewritten[memberPage](data)
		case 1:
			again, err = rewritten[inviterPage](data)
		case 2:
			again, err = rewritten[chainPage](data)
		case 3:
			again, err = rewritten[sharePage](data)
		case 4:
			var k Coupon
			err = k.readFrom(data)
			again = k.appendTo(nil)
		case 5:
			var o Order
			err = o.readFrom(data)
			again = o.appendTo(nil)
		case 6:
			var s Stats
			r := recordReader{b: data}
			s.readFrom(&r)
			err = r.end("statistics")
			again = s.appendTo(nil)
		}
		if err == nil && !bytes.Equal(again, data) {
			t.Errorf("kind %d: read %x, wrote %x", kind%7, data, again)
		}
	})
}

func rewritten[P any, C pageCodec[P]](data []byte) ([]byte, error) {
	p := new(P)
	m, err := decodePage[P, C](data, p)
	return C(p).appendTo([]byte{pageFormat | m.flags, byte(m.day), byte(m.day >> 8)}), err
}
