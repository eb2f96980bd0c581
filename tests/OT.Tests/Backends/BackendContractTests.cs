using OT.Backends;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Backends;

/// <summary>The laws of back ends for every managed operator, at every register width and in both precisions.</summary>
public class BackendContractTests
{
    public static TheoryData<int, Precision, string> Everything
    {
        get
        {
            var data = new TheoryData<int, Precision, string>();
            foreach ((int width, Precision precision) in Kinds)
            {
                foreach (string kind in SomeGeometry.All)
                    data.Add(width, precision, kind);
            }
            return data;
        }
    }

    public static TheoryData<int, Precision> Widths => [.. Kinds];

    static IEnumerable<(int, Precision)> Kinds =>
        from width in (int[])[512, 256, 128, 0]
        from precision in (Precision[])[Precision.Float64, Precision.Float32]
        select (width, precision);

    static ManagedBackend Open(int width, int threads = 2)
    {
        Assert.SkipUnless(Simd.Width >= width, $"This processor has registers of {Simd.Width} bits only.");
        return new ManagedBackend(threads, null, width);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Soft_and_hard_minima_are_those_of_the_definition(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        new BackendLaws(backend, precision).Minima(kind);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Iterations_are_those_of_the_definition(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        new BackendLaws(backend, precision).Iterations(kind);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Plans_are_those_of_the_definition(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        new BackendLaws(backend, precision).Plans(kind);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_small_count_of_rows_and_columns(int width, Precision precision)
    {
        using ManagedBackend backend = Open(width, 1);
        foreach (
            string kind in (string[])["doubles", "floats", "forbidden", "points2", "points7", "points40", "cityblock", "grid"]
        )
            new BackendLaws(backend, precision).SmallCounts(kind);
    }

    [Theory]
    [InlineData("points2", 5000, 3)]
    [InlineData("doubles", 5000, 3)]
    [InlineData("points3", 5, 2100)]
    [InlineData("points7", 5, 1030)]
    [InlineData("points40", 5, 2100)]
    [InlineData("points40", 1000, 70)]
    [InlineData("half squared 20", 2061, 9)]
    [InlineData("floats", 7, 3000)]
    [InlineData("doubles", 7, 20_000)]
    [InlineData("cityblock", 3, 40_000)]
    [InlineData("grid", 600, 900)]
    public void Long_rows_and_many_rows(string kind, int n, int m)
    {
        foreach (int width in (int[])[512, 256])
        {
            if (width > Simd.Width)
                continue;
            using ManagedBackend backend = Open(width);
            foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
                new BackendLaws(backend, precision).Large(kind, n, m);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Wild_guesses_change_nothing(int width, Precision precision)
    {
        using ManagedBackend backend = Open(width);
        foreach (string kind in (string[])["doubles", "forbidden", "points2", "points7", "points40", "euclidean", "grid"])
            new BackendLaws(backend, precision).WildGuesses(kind);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Columns_and_rows_out_of_range_are_repaired(int width, Precision precision)
    {
        using ManagedBackend backend = Open(width);
        new BackendLaws(backend, precision).OutOfRange();
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Repeats_give_the_same_bits(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        new BackendLaws(backend, precision).Repeats(kind, 70, 45);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void A_cancelled_operator_says_so_and_leaves_potentials_as_they_were(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        new BackendLaws(backend, precision).Cancellation(kind);
    }
}
