package schemas

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The walk reads every varint as protowire does: up to ten bytes, 64 bits, and no more.
func TestWireVarint(t *testing.T) {
	t.Parallel()
	for size := 1; size <= 12; size++ {
		for _, last := range []byte{0, 1, 2, 0x7f, 0x80} {
			b := append(bytes.Repeat([]byte{0xff}, size-1), last)
			want, n := protowire.ConsumeVarint(b)
			w := wire{b: append([]byte{1 << 3}, b...)}
			ok := w.next()
			if ok != (n > 0) || ok && (w.v != want || len(w.b) != len(b)-n) {
				t.Errorf("% x: %t %d and %d bytes left; protowire: %d in %d bytes", b, ok, w.v, len(w.b), want, n)
			}
		}
	}
}

// A nested message of any length closes with the shortest length before it.
func TestCloseMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 127, 128, 129, 16383, 16384, 2097152} {
		content := bytes.Repeat([]byte{0xab}, size)
		dst, at := openMessage([]byte("before"), 12)
		got := closeMessage(append(dst, content...), at)
		want := protowire.AppendBytes(append([]byte("before"), 12<<3|2), content)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: begins % x, want % x", size, got[:min(12, len(got))], want[:min(12, len(want))])
		}
	}
}
