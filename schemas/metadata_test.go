package schemas

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMetadataRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Metadata{Seq: rapid.Int64Min(0).Draw(t, "seq"), ClockMS: rapid.Int64Min(0).Draw(t, "clock")}
		copy(want.Hash[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "hash"))
		for i := range want.Positions {
			want.Positions[i] = rapid.Int64Min(0).Draw(t, "position")
		}
		text, err := want.AppendText([]byte("before "))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMetadata(strings.TrimPrefix(string(text), "before "))
		if err != nil || got != want {
			t.Fatalf("%s read as %+v (%v), want %+v", text, got, err, want)
		}
	})
}

// Kafka refuses metadata of more than 4,096 bytes, and with it the offset.
func TestMetadataFits(t *testing.T) {
	t.Parallel()
	m := Metadata{Seq: math.MaxInt64, ClockMS: math.MaxInt64}
	for i := range m.Positions {
		m.Positions[i] = math.MaxInt64
	}
	text, _ := m.AppendText(nil)
	if len(text) > 400 {
		t.Fatalf("%d bytes", len(text))
	}
}

// What another program or version wrote is refused: a guessed position would lose events (X4).
func TestMetadataRefused(t *testing.T) {
	t.Parallel()
	blank := Metadata{Seq: 7, ClockMS: 9}
	text, _ := blank.AppendText(nil)
	good := string(text)
	for _, c := range []struct{ text, want string }{
		{"", "five words"},
		{"2" + good[1:], "format 1 is five words"},
		{good + " ", "five words"},
		{strings.Replace(good, " 7 ", " 07 ", 1), `seq is "07", want a decimal`},
		{strings.Replace(good, " 7 ", " -7 ", 1), `seq is "-7"`},
		{strings.Replace(good, " 9 ", " +9 ", 1), `the clock is "+9"`},
		{strings.Replace(good, "00000000", "0000000", 1), "32 lower-case hex digits"},
		{strings.Replace(good, "00000000", "0000000A", 1), "32 lower-case hex digits"},
		{strings.Replace(good, "00000000", "0000000g", 1), "32 lower-case hex digits"},
		{strings.Replace(good, ",coupon.retry.30s=0", "", 1), "5 positions; there are 6 inputs"},
		{strings.Replace(good, "coupon.commands", "coupon.results", 1), `position 1 is of "coupon.results", want coupon.commands`},
		{strings.Replace(good, "invite.events=0", "invite.events", 1), `the position of invite.events is ""`},
	} {
		if _, err := ParseMetadata(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want ...%s...", c.text, err, c.want)
		}
	}
}

func TestShortText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "text"))
		if p := checkText("text", []byte(ShortText(text)), MaxStringBytes); p != nil {
			t.Fatal(p)
		}
	})
	if got := ShortText("OOM command not allowed"); got != "OOM command not allowed" {
		t.Fatal(got)
	}
}
