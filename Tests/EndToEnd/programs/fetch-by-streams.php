<?php
// As fetch.php, without curl.
[, $proxy, $authority, $text] = $argv;
$settings = [
    'http' => ['proxy' => str_replace('http:', 'tcp:', $proxy), 'request_fulluri' => true],
    'ssl' => ['cafile' => $authority],
];
$post = ['method' => 'POST', 'content' => $text, 'header' => 'Content-Type: text/plain'];
foreach (array_slice($argv, 4) as $url) {
    foreach (['GET' => [], 'POST' => $post] as $what => $options) {
        $content = file_get_contents($url, false, stream_context_create(array_merge_recursive($settings, ['http' => $options])));
        printf("%s %s %s\n", $what, explode(' ', $http_response_header[0])[1], $content);
    }
}
