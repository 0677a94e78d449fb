package schemas

// A traceparent is version-traceid-spanid-flags: "00-" 32 hex "-" 16 hex "-" 2 hex.
const traceparentLen = 55

// traceparent is the first 55 bytes of a valid W3C Trace Context header, else nil: the
// specification has a receiver restart the trace rather than refuse the message. A later version
// may be longer, and its first four parts mean the same.
func traceparent(b []byte) []byte {
	if len(b) < traceparentLen || b[2] != '-' || b[35] != '-' || b[52] != '-' {
		return nil
	}
	version, trace, span, flags := b[:2], b[3:35], b[36:52], b[53:traceparentLen]
	if !isHex(version) || !isHex(trace) || !isHex(span) || !isHex(flags) {
		return nil
	}
	if string(version) == "ff" || allZero(trace) || allZero(span) {
		return nil
	}
	if len(b) > traceparentLen && (string(version) == "00" || b[traceparentLen] != '-') {
		return nil
	}
	return b[:traceparentLen]
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != '0' {
			return false
		}
	}
	return true
}
