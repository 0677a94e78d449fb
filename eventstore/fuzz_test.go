package eventstore

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecoders feeds every decoder of what lies on the disk: a value is refused with the right sentinel, or it is the one form of what it says.
func FuzzDecoders(f *testing.F) {
	b := boundaryOf('a', 7)
	value := make([]byte, boundaryLen)
	putBoundary(value, &b)
	f.Add(value)
	key := seqKey(spaceSteps, 7)
	f.Add(key[:])
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x06entry"))
	f.Add(identity{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 16}.encode())
	f.Add([]byte(mark{7, hashOf('a', 7)}.name()))
	f.Add([]byte(liveName(3)))
	f.Add([]byte(partitionDir(12)))
	f.Fuzz(func(t *testing.T, in []byte) {
		checkRecords(t, in)
		checkNames(t, string(in))
		if id, err := parseIdentity(in); err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Errorf("STORE %q: %v, want ErrRefused", in, err)
			}
		} else if again, err := parseIdentity(id.encode()); err != nil || again != id {
			t.Errorf("STORE %q: %+v, written and read again %+v, %v", in, id, again, err)
		}
	})
}

func checkRecords(t *testing.T, in []byte) {
	const seq = 7
	if b, err := parseBoundary(seq, in); err == nil {
		out := make([]byte, boundaryLen)
		if putBoundary(out, &b); !bytes.Equal(out, in) {
			t.Errorf("boundary %x is written again as %x", in, out)
		}
	} else if !errors.Is(err, ErrCorrupt) {
		t.Errorf("boundary %x: %v, want ErrCorrupt", in, err)
	}
	if n, err := parseSeqKey(in); err == nil {
		if out := seqKey(in[0], n); !bytes.Equal(out[:], in) {
			t.Errorf("key %x is written again as %x", in, out)
		}
	} else if !errors.Is(err, ErrCorrupt) {
		t.Errorf("key %x: %v, want ErrCorrupt", in, err)
	}
	if prev, entry, err := parseEntry(seq, in); err == nil {
		out := make([]byte, seqLen, len(in))
		if putInt(out, prev); !bytes.Equal(append(out, entry...), in) || prev >= seq {
			t.Errorf("entry %x: follows %d", in, prev)
		}
	} else if !errors.Is(err, ErrCorrupt) {
		t.Errorf("entry %x: %v, want ErrCorrupt", in, err)
	}
	if n, err := parseMark(in); err == nil && n < 1 || err != nil && !errors.Is(err, ErrCorrupt) {
		t.Errorf("nodes mark %x: %d, %v", in, n, err)
	}
}

// checkNames: a directory's name is taken only in the one form in which it is given.
func checkNames(t *testing.T, in string) {
	if m, ok := parseMarkName(in); ok && m.name() != in {
		t.Errorf("checkpoint %q is %q", in, m.name())
	}
	if n, ok := parseLive(in); ok && (liveName(n) != in || n < 1) {
		t.Errorf("live directory %q is %d", in, n)
	}
	if isPartitionDir(in) && (len(in) < 4 || in[0] != 'p') {
		t.Errorf("%q is taken for a partition directory", in)
	}
}
