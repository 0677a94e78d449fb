package admission

import (
	"context"
	_ "embed" // the scripts
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

//go:embed lua/head.lua
var headLua string

//go:embed lua/begin.lua
var beginLua string

//go:embed lua/admit.lua
var admitLua string

//go:embed lua/claims.lua
var claimsLua string

//go:embed lua/shares.lua
var sharesLua string

//go:embed lua/mark.lua
var markLua string

//go:embed lua/release.lua
var releaseLua string

type script struct{ text, sha string }

func newScript(text string) script {
	return script{text: text, sha: redis.NewScript(text).Hash()}
}

// redisServer is a Redis behind go-redis. admit is called by one goroutine at a time, all else
// by any.
type redisServer struct {
	client *redis.Client
	keys   keys

	scripts struct{ begin, admit, claims, shares, mark, release script }

	// Of admit: go-redis takes arguments as []any; pointers to strings fit in without allocation.
	args   []any
	numKey string
	nums   [5]string
	expiry string
}

func newRedisServer(opt *redis.Options, prefix string) *redisServer {
	o := *opt
	o.MaxRetries = -1 // the gate retries, and says so
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	defaultTo(&o.DialTimeout, time.Second)
	defaultTo(&o.ReadTimeout, readTimeout)
	defaultTo(&o.WriteTimeout, 2*time.Second)
	r := &redisServer{
		client: redis.NewClient(&o),
		keys:   newKeys(prefix),
		expiry: strconv.Itoa(bucketExpiryMS / 1000),
	}
	r.scripts.begin = newScript(headLua + beginLua)
	r.scripts.admit = newScript(headLua + admitLua)
	r.scripts.claims = newScript(headLua + claimsLua)
	r.scripts.shares = newScript(headLua + sharesLua)
	r.scripts.mark = newScript(headLua + markLua)
	r.scripts.release = newScript(releaseLua)
	return r
}

func defaultTo(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

func (r *redisServer) close() error { return r.client.Close() }

// run sends a script by its hash and, where Redis does not know it (it was restarted), by its text.
// args[1] is the place of the hash.
func (r *redisServer) run(ctx context.Context, s *script, args []any) (any, error) {
	args[0], args[1] = "EVALSHA", &s.sha
	reply, err := r.client.Do(ctx, args...).Result()
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		args[0], args[1] = "EVAL", &s.text
		reply, err = r.client.Do(ctx, args...).Result()
	}
	return reply, err
}

// parseSight reads {epoch, server}.
func parseSight(reply any) (sight, error) {
	pair, ok := reply.([]any)
	if !ok || len(pair) != 2 {
		return sight{}, errReply
	}
	raw, ok1 := pair[0].(string)
	server, ok2 := pair[1].(string)
	if !ok1 || !ok2 {
		return sight{}, errReply
	}
	return sight{raw: raw, server: server}, nil
}

func (r *redisServer) begin(ctx context.Context, expect, head string, partitions int32) (sight, error) {
	reply, err := r.run(ctx, &r.scripts.begin, []any{nil, nil, "1", r.keys.epoch, expect, head, partitions})
	if err != nil {
		return sight{}, err
	}
	return parseSight(reply)
}

func (r *redisServer) mark(ctx context.Context, e epoch, p int32) (sight, error) {
	reply, err := r.run(ctx, &r.scripts.mark, []any{nil, nil, "1", r.keys.epoch, e.id(), e.server, p})
	if err != nil {
		return sight{}, err
	}
	return parseSight(reply)
}

func (r *redisServer) admit(ctx context.Context, e epoch, b *batch) (bool, error) {
	reply, err := r.run(ctx, &r.scripts.admit, r.admitArgs(&e, b))
	clear(r.args) // the arguments point into calls
	if err != nil {
		return false, err
	}
	if refusals, ok := reply.(string); ok {
		return true, b.answer(refusals)
	}
	_, err = parseSight(reply)
	return false, err
}

func (r *redisServer) admitArgs(e *epoch, b *batch) []any {
	nkeys := 1 + len(b.fast) + len(b.groups)
	args := r.args[:0]
	args = append(args, nil, nil, &r.numKey, &r.keys.epoch)
	for _, o := range b.fast {
		args = append(args, &o.claimKey)
	}
	for i := range b.groups {
		args = append(args, &b.groups[i].first.shareKey)
	}
	for _, o := range b.rest {
		if o.want&WantShare != 0 {
			args = append(args, &o.shareKey)
			nkeys++
		}
		if o.want&WantClaim != 0 {
			args = append(args, &o.claimKey)
			nkeys++
		}
	}
	r.numKey = strconv.Itoa(nkeys)
	r.nums = [5]string{
		strconv.Itoa(len(b.fast)), strconv.Itoa(len(b.groups)), strconv.Itoa(len(b.rest)),
		strconv.Itoa(b.limit.Count * shareIDSize), r.expiry,
	}
	args = append(args, &e.raw, &e.server, &r.nums[0], &r.nums[1], &r.nums[2], &r.nums[3], &r.nums[4])
	for _, o := range b.fast {
		args = append(args, &o.value)
	}
	for i := range b.groups {
		g := &b.groups[i]
		args = append(args, g.n)
		for o := g.first; o != nil; o = o.next {
			args = append(args, &o.field)
		}
		for o := g.first; o != nil; o = o.next {
			args = append(args, &o.shareID)
		}
	}
	for _, o := range b.rest {
		switch o.want {
		case WantClaim:
			args = append(args, "c", &o.value)
		case WantShare:
			args = append(args, "s", &o.field, &o.shareID, &o.known)
		default:
			args = append(args, "b", &o.field, &o.shareID, &o.known, &o.value)
		}
	}
	r.args = args
	return args
}

func (r *redisServer) claims(ctx context.Context, e epoch, p *page) (string, bool, error) {
	return r.write(ctx, &r.scripts.claims, e, p, nil)
}

func (r *redisServer) shares(ctx context.Context, e epoch, p *page) (bool, error) {
	_, ok, err := r.write(ctx, &r.scripts.shares, e, p, &r.expiry)
	return ok, err
}

func (r *redisServer) write(ctx context.Context, s *script, e epoch, p *page, expiry *string) (string, bool, error) {
	args := make([]any, 0, 8+2*len(p.keys))
	args = append(args, nil, nil, len(p.keys)+1, r.keys.epoch)
	for i := range p.keys {
		args = append(args, &p.keys[i])
	}
	args = append(args, e.id(), e.server)
	if expiry != nil {
		args = append(args, expiry)
	}
	for i := range p.values {
		args = append(args, &p.values[i])
	}
	reply, err := r.run(ctx, s, args)
	if err != nil {
		return "", false, err
	}
	if met, ok := reply.(string); ok {
		return met, true, nil
	}
	_, err = parseSight(reply)
	return "", false, err
}

func (r *redisServer) release(ctx context.Context, rs []release) (int64, error) {
	args := make([]any, 0, 4+3*len(rs))
	args = append(args, nil, nil, len(rs))
	for i := range rs {
		args = append(args, &rs[i].key)
	}
	for i := range rs {
		what := "c"
		if rs[i].share {
			what = "s"
		}
		args = append(args, what, &rs[i].id)
	}
	reply, err := r.run(ctx, &r.scripts.release, args)
	if err != nil {
		return 0, err
	}
	n, ok := reply.(int64)
	if !ok {
		return 0, errReply
	}
	return n, nil
}
