using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

/// <summary>Steps that meet both conditions, or none.</summary>
public class WolfeSearchTests
{
    public static TheoryData<string> Functions => ["parabola", "steep", "quartic", "exponential", "wavy"];

    static (double, double) Value(string kind, double x) =>
        kind switch
        {
            "parabola" => ((x - 1) * (x - 1), 2 * (x - 1)),
            "steep" => (1e6 * (x - 0.01) * (x - 0.01), 2e6 * (x - 0.01)),
            "quartic" => (Math.Pow(x - 0.7, 4), 4 * Math.Pow(x - 0.7, 3)),
            "exponential" => (Math.Exp(40 * x) - (60 * x), (40 * Math.Exp(40 * x)) - 60),
            _ => ((x * x) - x - (0.05 * Math.Sin(20 * x)), (2 * x) - 1 - Math.Cos(20 * x)),
        };

    [Theory]
    [MemberData(nameof(Functions))]
    public void Both_conditions_hold(string kind)
    {
        foreach (double start in (double[])[1e-3, 0.5, 1, 1.9])
        {
            (double value, double slope) = Value(kind, 0);
            double step = WolfeSearch.Find(x => Value(kind, x), value, slope, start, largest: 2)!.Value;
            (double v, double s) = Value(kind, step);
            Assert.True(v <= value + (1e-4 * step * slope), $"{kind} {start}: no decrease at {step}");
            Assert.True(Math.Abs(s) <= 0.9 * Math.Abs(slope), $"{kind} {start}: slope {s} at {step}");
        }
    }

    [Fact]
    public void What_falls_for_ever_is_followed_to_the_largest_step() =>
        Assert.Equal(2, WolfeSearch.Find(x => (-x, -1), 0, -1, 1, largest: 2));

    [Fact]
    public void What_rises_has_no_step() => Assert.Null(WolfeSearch.Find(x => (x, 1), 0, -1, 1, largest: 2));

    [Fact]
    public void What_is_not_a_number_is_too_large()
    {
        (double, double) Half(double x) => x > 0.5 ? (double.NaN, double.NaN) : (-x, -1);
        Assert.InRange(WolfeSearch.Find(Half, 0, -1, 1, 2)!.Value, 0.1, 0.5);
    }
}
