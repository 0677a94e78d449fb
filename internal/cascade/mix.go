package cascade

// Mix is the weights of the events that are neither bad nor duplicates. Zero value: 30, 65, 5.
type Mix struct{ Shares, Joins, Purchases float64 }

// part is a weight's part of all.
func (m *Mix) part(weight float64) float64 { return weight / (m.Shares + m.Joins + m.Purchases) }

// act is what a turn of a chain does.
type act uint8

const (
	actShare act = iota
	actJoin
	actPurchase
	acts
)

// balance keeps the acts of a stream in proportion: the next one is that which lags most
// behind its share of the turns, so that the mix comes out within a few events.
type balance struct {
	share [acts]float64
	done  [acts]float64
	turns float64
}

func newBalance(m Mix) *balance {
	return &balance{share: [acts]float64{m.part(m.Shares), m.part(m.Joins), m.part(m.Purchases)}}
}

func (b *balance) next() act {
	best, lag := actJoin, -1.0
	for a := range acts {
		if l := b.share[a]*(b.turns+1) - b.done[a]; l > lag && b.share[a] > 0 {
			best, lag = a, l
		}
	}
	return best
}

// did counts what a turn did, whether it was what next said or not.
func (b *balance) did(a act) {
	b.done[a]++
	b.turns++
}

// pace spreads a number of rare records evenly over all.
type pace struct{ want, done, among int64 }

// due says that after so many records of all, the next rare one's turn has come.
func (p *pace) due(sent int64) bool {
	return p.done < p.want && float64(sent)*float64(p.want) >= (float64(p.done)+0.5)*float64(p.among)
}
