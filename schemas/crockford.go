package schemas

// Crockford's base32 (https://www.crockford.com/base32.html) without padding or check symbol: five
// bits a character, most significant first; the spare bits of the last character are zero.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const notCrockford = 0xff

// crockfordValues reads a character's five bits. People copy codes by hand: lower case is upper
// case, O is 0, I and L are 1. U is no character.
var crockfordValues = func() (values [256]byte) {
	for i := range values {
		values[i] = notCrockford
	}
	for i, c := range []byte(crockford) {
		values[c] = byte(i)
		values[lower(c)] = byte(i)
	}
	for i, likes := range []string{"Oo", "IiLl"} {
		for _, c := range []byte(likes) {
			values[c] = byte(i)
		}
	}
	return values
}()

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func appendCrockford(dst, src []byte) []byte {
	var bits uint
	var n int
	for _, b := range src {
		bits = bits<<8 | uint(b)
		for n += 8; n >= 5; n -= 5 {
			dst = append(dst, crockford[bits>>(n-5)&31])
		}
	}
	if n > 0 {
		dst = append(dst, crockford[bits<<(5-n)&31])
	}
	return dst
}

// decodeCrockford appends the bytes that text stands for. ok is false for another character, a
// length that no whole number of bytes has, or spare bits that are not zero: a code has one
// spelling but for what people mistake.
func decodeCrockford(dst, text []byte) (out []byte, ok bool) {
	var bits uint
	var n int
	for _, c := range text {
		v := crockfordValues[c]
		if v == notCrockford {
			return dst, false
		}
		bits = bits<<5 | uint(v)
		if n += 5; n >= 8 {
			n -= 8
			dst = append(dst, byte(bits>>n)) //nolint:gosec // the low 8 bits are meant
		}
	}
	return dst, n < 5 && bits&(1<<n-1) == 0
}
