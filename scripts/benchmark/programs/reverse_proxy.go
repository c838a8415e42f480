// What one writes in Go in an afternoon: httputil.ReverseProxy with a token, as its documentation recommends it.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *bufferPool) Put(p []byte) { b.pool.Put(&p) }

// accessLog writes one line for each answer, in pieces of 64 KB.
type accessLog struct {
	next  http.Handler
	mutex sync.Mutex
	out   *bufio.Writer
}

type statusRecorder struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += n
	return n, err
}

func (r *statusRecorder) Flush() {
	if flusher, ok := r.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}

func (a *accessLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	a.next.ServeHTTP(recorder, r)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	fmt.Fprintf(a.out, "%s %s \"%s %s\" %d %d %s\n", r.RemoteAddr, start.Format(time.RFC3339Nano), r.Method,
		r.URL.Path, recorder.status, recorder.bytes, time.Since(start))
}

func main() {
	listen := flag.String("listen", "", "address")
	upstream := flag.String("upstream", "", "URL")
	tokenFile := flag.String("token-file", "", "file with the token")
	caFile := flag.String("ca-file", "", "PEM")
	logFile := flag.String("access-log", "", "file; none without it")
	flag.Parse()

	target, err := url.Parse(*upstream)
	if err != nil {
		log.Fatal(err)
	}
	token, err := os.ReadFile(*tokenFile)
	if err != nil {
		log.Fatal(err)
	}
	authorization := "Bearer " + string(token)
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(*caFile)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		log.Fatal("no certificate in ", *caFile)
	}
	proxy := &httputil.ReverseProxy{
		Director: func(r *http.Request) {
			r.URL.Scheme = target.Scheme
			r.URL.Host = target.Host
			r.Host = target.Host
			r.Header.Set("Authorization", authorization)
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			MaxIdleConns:        0,
			MaxIdleConnsPerHost: 20000,
			IdleConnTimeout:     300 * time.Second,
			DisableCompression:  true,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
		},
		BufferPool: &bufferPool{sync.Pool{New: func() any { b := make([]byte, 64*1024); return &b }}},
	}
	var handler http.Handler = proxy
	if *logFile != "" {
		file, err := os.Create(*logFile)
		if err != nil {
			log.Fatal(err)
		}
		handler = &accessLog{next: proxy, out: bufio.NewWriterSize(file, 64*1024)}
	}
	log.Fatal((&http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
