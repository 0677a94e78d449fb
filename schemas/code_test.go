package schemas

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Two keys in rotation: the old one verifies, the new one mints.
const rotatingKeys = `keys: [{id: 1, secret: MDEyMzQ1Njc4OWFiY2RlZg==}, {id: 2, secret: ZmVkY2JhOTg3NjU0MzIxMA==, mint: true}]`

func codeKeys(t interface{ Fatal(...any) }, text string) *CodeKeys {
	k, err := ParseCodeKeys("keys.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func drawCode(t *rapid.T) Code {
	return Code{Campaign: drawID(t, "campaign"), Chain: drawID(t, "chain"), Inviter: drawID(t, "inviter"), ExpiresS: drawID(t, "expires")}
}

// A minted code says what it was minted of, however a person copies it; with any bit changed it is
// not good.
func TestCodeRoundTrip(t *testing.T) {
	t.Parallel()
	keys := codeKeys(t, rotatingKeys)
	minter, verifier := NewCodeMinter(keys), NewCodeVerifier(keys)
	rapid.Check(t, func(t *rapid.T) {
		want := drawCode(t)
		text := minter.Append(nil, want)
		want.KeyID = 2
		if string(text) != keys.Mint(want) || len(text) > maxCodeText {
			t.Fatalf("%s and %s", text, keys.Mint(want))
		}
		copied := strings.NewReplacer("0", "o", "1", "l").Replace(strings.ToLower(string(text)))
		for _, text := range []string{string(text), string(text), copied} { // the second one is a cache hit
			var got Code
			if status := verifier.Verify([]byte(text), &got); status != CodeGood || got != want {
				t.Fatalf("%s: status %d, %+v, want %+v", text, status, got, want)
			}
		}
		raw, _ := decodeCrockford(nil, text)
		bit := rapid.IntRange(0, len(raw)*8-1).Draw(t, "bit")
		raw[bit/8] ^= 1 << (bit % 8)
		var got Code
		if status := verifier.Verify(appendCrockford(nil, raw), &got); status != CodeForged && status != CodeMalformed {
			t.Fatalf("bit %d changed and status %d", bit, status)
		}
	})
}

// Codes of either live key are good; of a key that was dropped, forged.
func TestCodeRotation(t *testing.T) {
	t.Parallel()
	first := codeKeys(t, `keys: [{id: 1, secret: MDEyMzQ1Njc4OWFiY2RlZg==, mint: true}]`)
	both := codeKeys(t, rotatingKeys)
	last := codeKeys(t, `keys: [{id: 2, secret: ZmVkY2JhOTg3NjU0MzIxMA==, mint: true}]`)
	c := Code{Campaign: 1, Chain: 2, Inviter: 3, ExpiresS: 4}
	old, recent := []byte(first.Mint(c)), []byte(both.Mint(c))
	for _, check := range []struct {
		keys *CodeKeys
		text []byte
		want CodeStatus
	}{
		{first, old, CodeGood},
		{first, recent, CodeForged},
		{both, old, CodeGood},
		{both, recent, CodeGood},
		{last, old, CodeForged},
		{last, recent, CodeGood},
		{DemoCodeKeys(), old, CodeForged},
	} {
		var got Code
		if status := NewCodeVerifier(check.keys).Verify(check.text, &got); status != check.want {
			t.Errorf("%s: status %d, want %d", check.text, status, check.want)
		}
	}
}

// Without a code's key nobody knows whether it is genuine, but under the demo key none of another campaign is, whatever keys there are.
func TestCodeKeysJudge(t *testing.T) {
	t.Parallel()
	first := codeKeys(t, `keys: [{id: 1, secret: MDEyMzQ1Njc4OWFiY2RlZg==, mint: true}]`)
	for _, check := range []struct {
		keys *CodeKeys
		code Code
		want bool
	}{
		{first, Code{KeyID: 1, Campaign: 7}, true},
		{first, Code{KeyID: 2, Campaign: 7}, false},
		{first, Code{KeyID: demoKeyID, Campaign: DemoCampaignID}, false},
		{first, Code{KeyID: demoKeyID, Campaign: 7}, true},
		{DemoCodeKeys(), Code{KeyID: demoKeyID, Campaign: DemoCampaignID}, true},
		{DemoCodeKeys(), Code{KeyID: 1, Campaign: 7}, false},
	} {
		if got := check.keys.Judges(&check.code); got != check.want {
			t.Errorf("%+v: %t", check.code, got)
		}
	}
}

// Two good codes that share a cache entry never answer for one another.
func TestCodeCacheComparesInFull(t *testing.T) {
	t.Parallel()
	keys := DemoCodeKeys()
	v := NewCodeVerifier(keys)
	good := []byte(keys.Mint(Code{Campaign: 1, Chain: 2, Inviter: 3, ExpiresS: 4}))
	var c Code
	if v.Verify(good, &c) != CodeGood {
		t.Fatal("not good")
	}
	forged := bytes.Clone(good) // the same ending, so the same entry; another inviter
	forged[9]++
	if status := v.Verify(forged, &c); status == CodeGood {
		t.Fatalf("%s is good", forged)
	}
	if v.Verify(good, &c) != CodeGood || c.Inviter != 3 {
		t.Fatal("the good code is gone")
	}
}

func TestCodeOutOfRange(t *testing.T) {
	t.Parallel()
	keys := DemoCodeKeys()
	v := NewCodeVerifier(keys)
	for _, c := range []Code{
		{Campaign: 0, Chain: 1, Inviter: 1, ExpiresS: 1},
		{Campaign: 1, Chain: -1, Inviter: 1, ExpiresS: 1},
		{Campaign: 1, Chain: 1, Inviter: math.MinInt64, ExpiresS: 1},
		{Campaign: 1, Chain: 1, Inviter: 1},
	} {
		var got Code
		if status := v.Verify([]byte(keys.Mint(c)), &got); status != CodeMalformed || got != (Code{}) {
			t.Errorf("%+v: status %d, %+v", c, status, got)
		}
	}
	widest := Code{Campaign: DemoCampaignID, Chain: math.MaxInt64, Inviter: math.MaxInt64, ExpiresS: math.MaxInt64}
	if status := v.Verify([]byte(keys.Mint(widest)), &widest); status != CodeGood || widest.Chain != math.MaxInt64 {
		t.Errorf("status %d", status)
	}
}

func TestVerifyEvent(t *testing.T) {
	t.Parallel()
	keys := DemoCodeKeys()
	good := []byte(keys.Mint(Code{Campaign: 1, Chain: 2, Inviter: 3, ExpiresS: 4}))
	other := []byte(keys.Mint(Code{Campaign: 2, Chain: 2, Inviter: 3, ExpiresS: 4}))
	for name, c := range map[string]struct{ event, want Event }{
		"join":            {Event{Kind: EventJoin, User: 9, CodeText: good}, Event{Kind: EventJoin, User: 9, CodeText: good, Code: CodeGood, Campaign: 1, Chain: 2, Inviter: 3, CodeExpiresS: 4}},
		"join, forged":    {Event{Kind: EventJoin, User: 9, CodeText: other}, Event{Kind: EventJoin, User: 9, CodeText: other, Code: CodeForged, Campaign: 2, Chain: 2, Inviter: 3, CodeExpiresS: 4}},
		"join, malformed": {Event{Kind: EventJoin, User: 9}, Event{Kind: EventJoin, User: 9, Code: CodeMalformed}},
		"share":           {Event{Kind: EventShare, Campaign: 1, Chain: 2, User: 3, CodeText: good}, Event{Kind: EventShare, Campaign: 1, Chain: 2, User: 3, CodeText: good, Code: CodeGood, CodeExpiresS: 4}},
		"share of another's code": {
			Event{Kind: EventShare, Campaign: 1, Chain: 2, User: 8, CodeText: good},
			Event{Kind: EventShare, Campaign: 1, Chain: 2, User: 8, CodeText: good, Code: CodeForged, CodeExpiresS: 4},
		},
		"reversal": {Event{Kind: EventReversal, Chain: 2}, Event{Kind: EventReversal, Chain: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			NewCodeVerifier(keys).VerifyEvent(&c.event)
			if diff := diff(c.want, c.event); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCodeExpiry(t *testing.T) {
	t.Parallel()
	c := Code{ExpiresS: 100}
	if c.ExpiredAt(99_999) || !c.ExpiredAt(100_000) || c.ExpiredAt(1) || !c.ExpiredAt(math.MaxInt64) {
		t.Fatal("a code expires as its second begins")
	}
}

func TestLoadCodeKeys(t *testing.T) {
	t.Parallel()
	if _, err := LoadCodeKeys(t.TempDir() + "/none.yaml"); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Fatalf("got %v", err)
	}
}

func TestCrockford(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "raw")
		text := appendCrockford(nil, raw)
		if len(text) != (len(raw)*8+4)/5 {
			t.Fatalf("%d bytes make %d characters", len(raw), len(text))
		}
		if got, ok := decodeCrockford(nil, text); !ok || !bytes.Equal(got, raw) {
			t.Fatalf("%s read as %x (%t), want %x", text, got, ok, raw)
		}
	})
	for _, text := range []string{"U", "00U", "0-0", "1", "01", "000", "000000", "ZZ" /* spare bits */, " 00", "0\x00"} {
		if _, ok := decodeCrockford(nil, []byte(text)); ok {
			t.Errorf("%q was read", text)
		}
	}
}
