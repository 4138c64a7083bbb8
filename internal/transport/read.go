package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	mostErrorBytes = 64 << 10
	mostReplyBytes = 32 << 20
)

// readReply reads a successful reply. It fails on one larger than the bound:
// half a list must not pass for the list.
func readReply(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > mostReplyBytes {
		return nil, fmt.Errorf("the reply has %d bytes, more than %d", resp.ContentLength, mostReplyBytes)
	}
	size := int64(512)
	if resp.ContentLength > 0 {
		size = resp.ContentLength + 1 // room for the read that finds the end
	}
	b, err := readAtMost(resp.Body, make([]byte, 0, min(size, 1<<20)), mostReplyBytes+1)
	if err != nil {
		return nil, err
	}
	if len(b) > mostReplyBytes {
		return nil, fmt.Errorf("the reply has more than %d bytes", mostReplyBytes)
	}
	return b, nil
}

// readError reads the first part of an error reply. The status says that it is
// an error, whatever else could be read; cut reports that not all of it could.
func readError(resp *http.Response) (b []byte, cut bool) {
	b, err := readAtMost(resp.Body, make([]byte, 0, 512), mostErrorBytes)
	return b, err != nil
}

func readAtMost(r io.Reader, b []byte, most int) ([]byte, error) {
	for len(b) < most {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):min(cap(b), most)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// isMarkup reports a content type that no service answers with: a proxy's or a
// login page's.
func isMarkup(h http.Header) bool {
	t := h.Get("Content-Type")
	return strings.Contains(t, "html") || strings.Contains(t, "xml")
}
