<?php
// Gets each URL behind the first three arguments, and posts the third one to it; prints status and content of each answer.
// The first argument is the proxy's URL, the second one the file of the authority; where they are empty, what the
// environment and php.ini say counts.
[, $proxy, $authority, $text] = $argv;
foreach (array_slice($argv, 4) as $url) {
    $curl = curl_init($url);
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    if ($proxy !== '') {
        curl_setopt($curl, CURLOPT_PROXY, $proxy);
    }
    if ($authority !== '') {
        curl_setopt($curl, CURLOPT_CAINFO, $authority);
    }
    send('GET', $curl);
    curl_setopt($curl, CURLOPT_POSTFIELDS, $text);
    send('POST', $curl);
}

function send(string $what, CurlHandle $curl): void
{
    $content = curl_exec($curl);
    if ($content === false) {
        fwrite(STDERR, curl_error($curl) . "\n");
        exit(1);
    }
    printf("%s %d %s\n", $what, curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $content);
}
