#!/usr/bin/env python3
"""Counts words of a log's lines with Spark, straight from the sealed segments of a queue, while it is in use; needs PySpark and Java.

    python3 spark.py data/app-logs                       # or: spark-submit spark.py /mnt/shared/app-logs

A segment is an ordinary gzip file: Hadoop's codec reads it as a text file of lines. Each is one task, since gzip can't be split.
"""

import os
import sys

from pyspark.sql import SparkSession, functions

if __name__ == "__main__":
    spark = SparkSession.builder.appName("sluice").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    lines = spark.read.text(os.path.join(os.path.abspath(sys.argv[1]), "segments", "*.gz"))
    words = lines.select(functions.explode(functions.split("value", " ")).alias("word")).groupBy("word").count()
    print("lines", lines.count())
    for row in words.orderBy(functions.desc("count"), "word").limit(10).collect():
        print(row["word"], row["count"])
    spark.stop()
