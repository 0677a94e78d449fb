package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"testing"
)

// Vectors are for producers in other languages: what they compute must be what is in these files.
// 64-bit numbers are strings in them, since JavaScript has none. go test -rewrite writes them again.
func checkVectors(t *testing.T, name string, vectors any) {
	t.Helper()
	want, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	path := testdata + name
	if rewrite := flag.Lookup("rewrite"); rewrite != nil && rewrite.Value.String() == "true" { // the flag is datadriven's
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s differs from what this package computes:\n%s", path, want)
	}
}

type codeVector struct {
	Name        string `json:"name"`
	Text        string `json:"text"`
	Status      string `json:"status"`
	KeyID       uint8  `json:"key_id"`
	Campaign    string `json:"campaign,omitempty"`
	Chain       string `json:"chain,omitempty"`
	Inviter     string `json:"inviter,omitempty"`
	ExpiresS    string `json:"expires_s,omitempty"`
	EventTimeMS string `json:"event_time_ms,omitempty"`
	Expired     bool   `json:"expired"`
}

func decimal(v int64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatInt(v, 10)
}

func TestCodeVectors(t *testing.T) {
	t.Parallel()
	demo := DemoCodeKeys()
	v := NewCodeVerifier(demo)
	names := [...]string{CodeGood: "good", CodeForged: "forged", CodeMalformed: "malformed"}
	var list []codeVector
	add := func(name string, want CodeStatus, timeMS int64, text string) {
		var c Code
		if status := v.Verify([]byte(text), &c); status != want {
			t.Errorf("%s: %s is %s, want %s", name, text, names[status], names[want])
		}
		list = append(list, codeVector{
			name, text, names[want], c.KeyID, decimal(c.Campaign), decimal(c.Chain), decimal(c.Inviter), decimal(c.ExpiresS),
			decimal(timeMS), timeMS > 0 && c.ExpiredAt(timeMS),
		})
	}
	c := Code{Campaign: 1, Chain: 42, Inviter: 42, ExpiresS: 1_796_083_200}
	good := demo.Mint(c)
	raw, _ := decodeCrockford(nil, []byte(good))
	changed := func(at int, b byte) string {
		other := bytes.Clone(raw)
		other[at] = b
		return string(appendCrockford(nil, other))
	}
	add("seed of a chain", CodeGood, 1_796_083_199_999, good)
	add("expired: the second expires_s has begun", CodeGood, 1_796_083_200_000, good)
	add("lower case", CodeGood, 0, string(bytes.ToLower([]byte(good))))
	add("O for 0", CodeGood, 0, "O"+good[1:])
	c.Chain, c.Inviter, c.ExpiresS = 1<<63-1, 1<<53+1, 4_102_444_800
	add("ids above 2^53", CodeGood, 0, demo.Mint(c))
	add("forged: another chain under the same MAC", CodeForged, 0, changed(3, 43))
	add("forged: another MAC", CodeForged, 0, changed(len(raw)-1, raw[len(raw)-1]^1))
	add("forged: unknown key id", CodeForged, 0, changed(1, 9))
	c.Campaign = 2
	add("forged: the demo key is good for campaign 1 alone", CodeForged, 0, demo.Mint(c))
	add("malformed: empty", CodeMalformed, 0, "")
	add("malformed: cut short", CodeMalformed, 0, good[:len(good)-3])
	add("malformed: U is no character", CodeMalformed, 0, "U"+good[1:])
	add("malformed: another version", CodeMalformed, 0, changed(0, 2))
	add("malformed: campaign 0", CodeMalformed, 0, changed(2, 0))
	c = Code{Campaign: 1, Chain: 300, Inviter: 300, ExpiresS: 1_796_083_200}
	spare := demo.Mint(c) // 22 bytes, so that the last character has 4 spare bits
	add("36 characters, 4 bits to spare", CodeGood, 0, spare)
	last := crockford[crockfordValues[spare[len(spare)-1]]|1]
	add("malformed: spare bits are not zero", CodeMalformed, 0, spare[:len(spare)-1]+string(last))
	long := append([]byte{1, 0, 0x81, 0x00}, raw[3:]...) // campaign 1 in two bytes
	add("malformed: a varint that is not the shortest", CodeMalformed, 0, string(appendCrockford(nil, long)))
	checkVectors(t, "codes.json", map[string]any{
		"about":      "Invite codes under the published demo key. body = version 1, key id, then campaign, chain, inviter and expires_s as uvarints; code = Crockford base32 of body and the first 10 bytes of HMAC-SHA-256(secret, body). expired: of a good code, against event_time_ms.",
		"key_id":     demoKeyID,
		"secret_hex": hex.EncodeToString([]byte(demoSecret)),
		"codes":      list,
	})
}

func TestPartitionVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Key         string `json:"key"`
		Murmur2     int32  `json:"murmur2"`
		Partition16 int32  `json:"partition_of_16"`
		Partition3  int32  `json:"partition_of_3"`
	}
	var list []vector
	for _, key := range []string{
		"1", "2", "42", "999", "123456", "1099511627776", "9007199254740993", "9223372036854775807", "campaign/1",
		"21", "foobar", "a-little-bit-long-string", "a-little-bit-longer-string", "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", "abc",
	} {
		list = append(list, vector{key, int32(murmur2([]byte(key))), Partition([]byte(key), 16), Partition([]byte(key), 3)})
	}
	checkVectors(t, "partitions.json", map[string]any{
		"about": "Kafka keys and their partitions: (murmur2(key) & 0x7fffffff) % partitions, murmur2 as org.apache.kafka.common.utils.Utils has it, signed 32 bits. A chain's key is its id in ASCII decimal.",
		"keys":  list,
	})
}

// The values of Apache Kafka's own test of Utils.murmur2.
func TestMurmur2AsKafka(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestCouponIDVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Campaign    string `json:"campaign"`
		Rule        string `json:"rule_id"`
		Beneficiary string `json:"beneficiary"`
		Trigger     string `json:"trigger"`
		CouponID    string `json:"coupon_id"`
	}
	var list []vector
	var ids CouponIDs
	for _, c := range []struct {
		campaign    int64
		rule        string
		beneficiary int64
		trigger     []byte
	}{
		{1, "welcome", 43, AppendTriggerJoin(nil, 43)},
		{1, "l1", 42, AppendTriggerJoin(nil, 43)},
		{1, "ten", 42, AppendTriggerDirect(nil, 42, 1)},
		{1, "buy", 42, AppendTriggerOrder(nil, []byte("order-7"))},
		{1, "", 42, AppendTriggerCommand(nil, []byte("apology-17"))},
		{2147483647, "a", 1<<63 - 1, AppendTriggerOrder(nil, bytes.Repeat([]byte("长"), 42))},
	} {
		var id, again CouponID
		ids.Make(&id, c.campaign, []byte(c.rule), c.beneficiary, c.trigger)
		MakeCouponID(&again, c.campaign, []byte(c.rule), c.beneficiary, c.trigger)
		if id != again {
			t.Errorf("%s and %s", id, again)
		}
		list = append(list, vector{decimal(c.campaign), c.rule, decimal(c.beneficiary), string(c.trigger), id.String()})
	}
	checkVectors(t, "coupon_ids.json", map[string]any{
		"about":   "coupon_id = the first 16 bytes of SHA-256 over campaign, rule_id, beneficiary and trigger, each preceded by its length in bytes as uvarint, numbers in ASCII decimal.",
		"coupons": list,
	})
}

func TestStepHashVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Previous string   `json:"previous"`
		Facts    []string `json:"facts"` // values in hex, StepEnded last, without hash
		Hash     string   `json:"hash"`
		Stored   string   `json:"step_ended_as_stored"`
	}
	facts := [][]*Fact{
		{{Seq: 1, Kind: FactStepEnded, Step: StepEnded{WorkerClockMS: 1_793_462_400_000, Facts: 1}}},
		{
			{Seq: 2, Kind: FactAccepted, Verdict: Verdict{
				Event: EventShare, Source: []byte("//share"), ID: []byte("e1"), TimeMS: 1_793_462_400_001,
				Campaign: 1, Chain: 42, User: 42, CodeExpiresS: 1_796_083_200, Claimed: true, Counted: true,
			}},
			{Seq: 3, Kind: FactRefused, Verdict: Verdict{
				Offset: 1, Event: EventJoin, Source: []byte("//signup"), ID: []byte("e2"), TimeMS: 1_793_462_400_002,
				Reason: 7, Campaign: 1, Chain: 42, User: 42, Inviter: 42,
			}},
			{Seq: 4, Kind: FactStepEnded, Step: StepEnded{Positions: Positions{2}, WorkerClockMS: 1_793_462_400_010, Facts: 3}},
		},
	}
	var list []vector
	var prev Hash
	for _, step := range facts {
		v := vector{Previous: hex.EncodeToString(prev[:])}
		buf := append([]byte(nil), prev[:]...)
		for _, f := range step {
			value := AppendFact(nil, f)
			v.Facts = append(v.Facts, hex.EncodeToString(value))
			buf = AppendHashed(buf, value)
		}
		prev = HashStep(buf)
		last := step[len(step)-1]
		last.Step.Hash = prev
		v.Hash, v.Stored = hex.EncodeToString(prev[:]), hex.EncodeToString(AppendFact(nil, last))
		list = append(list, v)
	}
	checkVectors(t, "step_hashes.json", map[string]any{
		"about": "The running hash of a partition's facts: XXH3, 128 bits, seed 0, big-endian, over the previous hash (16 zero bytes before the first step), then of each fact of the step its length as uvarint and its value, StepEnded last and without its hash field. As stored, StepEnded ends in that field: 7a 10 and the hash.",
		"steps": list,
	})
}
