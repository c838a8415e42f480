// Gets each URL behind the first argument, and posts that to it; prints status and content of each answer.
// Which proxy and which authorities there are is a matter of the environment.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	for _, url := range os.Args[2:] {
		answer, err := http.Get(url)
		print("GET", answer, err)
		answer, err = http.Post(url, "text/plain", strings.NewReader(os.Args[1]))
		print("POST", answer, err)
	}
}

func print(what string, answer *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(what, answer.StatusCode, string(content))
}
