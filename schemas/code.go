package schemas

// CodeStatus is what verification said of an invite code.
type CodeStatus uint8

// The statuses of a code. CodeMissing is the zero value: not verified yet.
const (
	CodeMissing   CodeStatus = iota
	CodeGood                 // well formed, known key, MAC right
	CodeMalformed            // does not parse: campaign, chain and inviter are unknown
	CodeForged               // parses, but the key id is unknown or the MAC wrong
)

// Code is what an invite code says.
type Code struct {
	KeyID    uint8
	Campaign int64
	Chain    int64
	Inviter  int64
	ExpiresS int64 // Unix seconds; not before the second has begun is it expired
}

// ExpiredAt says that the code has expired for an event of time timeMS (Unix milliseconds): the
// second ExpiresS has begun.
func (c Code) ExpiredAt(timeMS int64) bool { return timeMS/1000 >= c.ExpiresS }
