package processor_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// TestTwoChainsClaimOneUser: the same users join two chains of two partitions at the same moment; each is in
// exactly one (domain.md section 4, X10).
func TestTwoChainsClaimOneUser(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4))
	a, b := f.start("a"), f.start("b")
	f.working(4, a, b)
	d := f.feed()
	left, right := f.chainIn(0, 0), f.chainIn(3, 0)
	d.put(d.share(1, left, left), d.share(1, right, right))
	const users = 500
	var joins []*kgo.Record
	for u := int64(10_000); u < 10_000+users; u++ {
		joins = append(joins, d.join(1, left, left, u), d.join(1, right, right, u))
	}
	d.put(joins...)
	r := f.mustVerify()
	if r.JoinsAccepted != users || r.Verdicts["CLAIMED_ELSEWHERE"] != users {
		t.Errorf("%d users: %d joins accepted, %d claimed elsewhere", users, r.JoinsAccepted, r.Verdicts["CLAIMED_ELSEWHERE"])
	}
}

// twoCampaigns is the demo's rules as campaigns 1 and 2, under keys of their own.
func twoCampaigns(t *testing.T) func(*fleet) {
	t.Helper()
	keys, err := schemas.ParseCodeKeys("test", []byte("keys: [{id: 9, secret: \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\", mint: true}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := schemas.ParseCampaign("second", []byte("campaign: 2\nversion: 1\nstarts: 2000-01-01T00:00:00Z\nends: 2100-01-01T00:00:00Z\nmax_depth: 5\ncoupons: {a: {stock: 1, valid_for: 1h, value_minor: 1, currency: CNY}}\nrewards: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	return func(f *fleet) { f.keys, f.campaigns = keys, append(f.campaigns, second) }
}

// TestShareLimitOverTwoCampaigns: a user who shares in two campaigns, whose chains lie in two partitions, has
// five shares an hour in all (domain.md section 4, "Share limit").
func TestShareLimitOverTwoCampaigns(t *testing.T) {
	t.Parallel()
	f := newFleet(t, partitions(4), twoCampaigns(t))
	f.start("a")
	f.start("b")
	d := f.feed()
	const users = 40
	there := f.chainIn(3, 0)
	before := []*kgo.Record{d.share(2, there, there)}
	var shares []*kgo.Record
	for n := range users {
		u := f.chainIn(1, n) // the seed of a chain of campaign 1, and a member of the one in campaign 2
		before = append(before, d.join(2, there, there, u))
		for range 5 {
			shares = append(shares, d.share(1, u, u), d.share(2, there, u))
		}
	}
	d.put(before...)
	d.put(shares...)
	r := f.mustVerify()
	if want := int64(users*5 + 1); r.SharesAccepted != want || r.Verdicts["SHARE_LIMIT"] != users*5 {
		t.Errorf("%d shares accepted, %d over the limit; want %d and %d", r.SharesAccepted, r.Verdicts["SHARE_LIMIT"], want, users*5)
	}
	perUser := map[int64]int{}
	for _, m := range f.facts() {
		if a := m.GetAccepted(); a != nil && a.Input.Kind == pb.EventKind_EVENT_KIND_SHARE_CREATED {
			perUser[a.User]++
		}
	}
	for u, n := range perUser {
		if n > 5 {
			t.Errorf("user %d has %d shares in an hour", u, n)
		}
	}
}

// TestRedisEmptied: a Redis that forgets everything in the middle is filled again from facts before anyone is
// admitted, so nobody is in two chains and no limit is exceeded (X10).
func TestRedisEmptied(t *testing.T) {
	t.Parallel()
	f := newFleet(t, ownRedis)
	a, b := f.start("a"), f.start("b")
	f.working(testPartitions, a, b)
	client := redis.NewClient(&redis.Options{Addr: f.redis})
	t.Cleanup(func() { _ = client.Close() })
	stream := demoStream(t, 5)
	for _, part := range chunks(stream, 4) {
		f.send(part)
		seen := a.gate.Stats().Epochs
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		f.await("a new epoch", func() bool { return a.gate.Stats().Epochs > seen })
	}
	// A user in a chain asks in another one, by Redis's word alone.
	d := f.feed()
	d.nowMS = time.Now().UnixMilli()
	left, right := f.chainIn(0, 500), f.chainIn(3, 500)
	d.put(d.share(1, left, left), d.share(1, right, right), d.join(1, left, left, 77))
	f.mustVerify()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	d.put(d.join(1, right, right, 77))
	r := f.mustVerify()
	want := stream.Counts()
	if r.JoinsAccepted != want.Joins+1 || r.SharesAccepted != want.Shares+2 {
		t.Errorf("joins %d, shares %d; want %d, %d", r.JoinsAccepted, r.SharesAccepted, want.Joins+1, want.Shares+2)
	}
}
