using OT.Numerics;
using OT.Testing;

namespace OT.Tests.Neural;

/// <summary>Derivatives against central differences along a random direction, which no wrong entry survives but by chance.</summary>
static class Differences
{
    // The error of a central difference: step² from the third derivative and 1e-16/step from rounding.
    const double Step = 1e-5;
    const double Tolerance = 1e-7;

    /// <summary>Refuses a gradient that differs from the function's slope by more than 1e-7 of the size of function and gradient.</summary>
    public static void Check(Func<double[], double> function, double[] at, ReadOnlySpan<double> gradient, ulong seed, string what)
    {
        var random = new SeededRandom(seed ^ 0xD1FF);
        double[] direction = NetCase.Normals(at.Length, random);
        double slope = 0,
            size = Math.Abs(function(at));
        for (int i = 0; i < at.Length; i++)
        {
            slope += gradient[i] * direction[i];
            size += Math.Abs(gradient[i] * direction[i]);
        }
        double Along(double t) => function([.. at.Select((x, i) => x + (t * direction[i]))]);
        double difference = (Along(Step) - Along(-Step)) / (2 * Step);
        Approx.Equal(difference, slope, Tolerance * Math.Max(size, 1), what);
    }
}
