package projections

import "encoding/binary"

// guess is the overlay of a probe: what the batch so far would have changed if Redis had said yes
// to each (ARCHITECTURE.md, "The life of an event"). It is emptied by counting up, so that a batch costs no more than
// its events.
type guess struct {
	round  uint32
	users  []guessedUser
	nUsers int
	shares []guessedShare
	nShare int
}

type guessedUser struct {
	round    uint32
	campaign int64
	user     int64
	person   person
}

type guessedShare struct {
	round uint32
	hash  [16]byte
}

const guessMin = 256

func (g *guess) clear() {
	g.round++
	g.nUsers, g.nShare = 0, 0
	if g.round == 0 { // once in 2^32 batches a slot could look fresh
		clear(g.users)
		clear(g.shares)
		g.round = 1
	}
}

func guessHash(campaign, user int64) uint64 { return mixID(user ^ campaign<<40) }

// user is what the overlay knows of a user, nil if it leaves the user to the state.
func (g *guess) user(campaign, user int64) *person {
	if g.nUsers == 0 {
		return nil
	}
	if u := g.userSlot(campaign, user); u.round == g.round {
		return &u.person
	}
	return nil
}

func (g *guess) userSlot(campaign, user int64) *guessedUser {
	mask := uint64(len(g.users)) - 1
	for i := guessHash(campaign, user) & mask; ; i = (i + 1) & mask {
		u := &g.users[i]
		if u.round != g.round || u.user == user && u.campaign == campaign {
			return u
		}
	}
}

func (g *guess) putUser(campaign, user int64, p person) {
	if g.nUsers*2 >= len(g.users) {
		g.growUsers()
	}
	u := g.userSlot(campaign, user)
	if u.round != g.round {
		g.nUsers++
	}
	*u = guessedUser{round: g.round, campaign: campaign, user: user, person: p}
}

func (g *guess) growUsers() {
	old := g.users
	g.users = make([]guessedUser, max(2*len(old), guessMin))
	for i := range old {
		if u := &old[i]; u.round == g.round {
			*g.userSlot(u.campaign, u.user) = *u
		}
	}
}

func (g *guess) shareSlot(h [16]byte) *guessedShare {
	mask := uint64(len(g.shares)) - 1
	for i := binary.LittleEndian.Uint64(h[:]) & mask; ; i = (i + 1) & mask {
		v := &g.shares[i]
		if v.round != g.round || v.hash == h {
			return v
		}
	}
}

func (g *guess) hasShare(h [16]byte) bool {
	return g.nShare > 0 && g.shareSlot(h).round == g.round
}

func (g *guess) putShare(h [16]byte) {
	if g.nShare*2 >= len(g.shares) {
		old := g.shares
		g.shares = make([]guessedShare, max(2*len(old), guessMin))
		for i := range old {
			if old[i].round == g.round {
				*g.shareSlot(old[i].hash) = old[i]
			}
		}
	}
	*g.shareSlot(h) = guessedShare{round: g.round, hash: h}
	g.nShare++
}
