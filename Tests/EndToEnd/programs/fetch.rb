# Gets each URL behind the first argument, and posts that to it; prints status and content of each answer.
# Which proxy and which authorities there are is a matter of the environment.
require "net/http"

text, *urls = ARGV
urls.map { |url| URI(url) }.each do |url|
  Net::HTTP.start(url.hostname, url.port, use_ssl: url.scheme == "https") do |http|
    answer = http.get(url.request_uri)
    puts "GET #{answer.code} #{answer.body}"
    answer = http.post(url.request_uri, text)
    puts "POST #{answer.code} #{answer.body}"
  end
end
