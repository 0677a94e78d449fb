package projections

// User is a user of a chain, as queries show one.
type User struct {
	User         int64
	Chain        int64
	Inviter      int64 // 0 of a seed
	Depth        int32 // hops below the seed
	Direct       int64 // children
	Total        int64 // descendants within max_depth hops
	Seq          int64 // of the fact that brought the user in
	ActiveUntilS int64 // Unix seconds: joins before it are possible; 0 of one who never shared
}

// Chain is an invite tree, as queries show one.
type Chain struct {
	Seed     int64
	Size     int64 // users, the seed included
	Joins    int64
	Shares   int64
	MaxDepth int32
}

// User is what is known of a user, ok if the user is in a chain of the campaign here.
func (s *State) User(campaign, user int64) (u User, ok bool, err error) {
	c := s.campaign(campaign)
	if c == nil {
		return User{}, false, s.err
	}
	ord := c.find(user)
	if ord == 0 || s.err != nil {
		return User{}, false, s.err
	}
	return c.user(ord), true, s.err
}

// Chain is what is known of a chain, ok if it has begun here.
func (s *State) Chain(campaign, seed int64) (t Chain, ok bool, err error) {
	c := s.campaign(campaign)
	if c == nil {
		return Chain{}, false, s.err
	}
	t, ok = c.tree(c.find(seed))
	return t, ok && s.err == nil, s.err
}

func (c *campaign) user(ord uint32) User {
	p, i := c.member(ord)
	own := p.ref[i] &^ ownBit
	rec := c.inviter(own)
	u := User{User: p.id[i], Chain: c.chain(rec.chain).seed, Seq: p.seq(i)}
	if p.ref[i]&ownBit == 0 {
		u.Inviter, u.Depth = c.above(own, 0), int32(rec.depth+1) //nolint:gosec // members are fewer than 2^31
		return u
	}
	u.Inviter, u.Depth = c.above(rec.parent, 0), int32(rec.depth) //nolint:gosec // members are fewer than 2^31
	u.Direct, u.Total, u.ActiveUntilS = int64(rec.direct), int64(rec.total), int64(rec.until)
	return u
}

// tree is the chain of which the member is the seed.
func (c *campaign) tree(ord uint32) (Chain, bool) {
	if ord == 0 {
		return Chain{}, false
	}
	p, i := c.member(ord)
	rec := c.inviter(p.ref[i] &^ ownBit)
	if p.ref[i]&ownBit == 0 || rec.parent != 0 {
		return Chain{}, false
	}
	return c.chain(rec.chain).shown(), true
}

func (v *chain) shown() Chain {
	return Chain{Seed: v.seed, Size: int64(v.joins) + 1, Joins: int64(v.joins), Shares: int64(v.shares), MaxDepth: int32(v.maxDepth)} //nolint:gosec // as above
}
