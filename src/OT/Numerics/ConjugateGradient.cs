namespace OT.Numerics;

/// <summary>Preconditioned conjugate gradients for a symmetric positive semidefinite system, known by its products (Hestenes and Stiefel 1952).</summary>
internal static class ConjugateGradient
{
    /// <summary><c>result = S x</c>; false when it was stopped.</summary>
    public delegate bool Product(ReadOnlySpan<double> x, Span<double> result);

    /// <summary>How a solve ended.</summary>
    /// <param name="Iterations">Products made.</param>
    /// <param name="Residual">L2 norm of the residual, by recurrence, over that of the right-hand side.</param>
    /// <param name="Stopped">Whether a product was stopped.</param>
    public readonly record struct Outcome(int Iterations, double Residual, bool Stopped);

    /// <summary>Solves <c>S x = right</c> from x = 0 until the residual is <paramref name="tolerance"/> of the right-hand side.</summary>
    /// <param name="product">S.</param>
    /// <param name="right">Right-hand side; overwritten by the residual.</param>
    /// <param name="inverseDiagonal">Jacobi preconditioner; entries of 0 take a variable out of the system.</param>
    /// <param name="isSingular">Whether S maps the constant vector to 0: residuals are then kept at sum 0, and the solution is one of many.</param>
    /// <param name="tolerance">Relative residual at which to stop.</param>
    /// <param name="maxIterations">Products at most.</param>
    /// <param name="x">Receives the solution, or the last iterate.</param>
    public static Outcome Solve(
        Product product,
        Span<double> right,
        ReadOnlySpan<double> inverseDiagonal,
        bool isSingular,
        double tolerance,
        int maxIterations,
        Span<double> x
    )
    {
        x.Clear();
        Span<double> residual = right;
        Mask(residual, inverseDiagonal);
        if (isSingular)
            Centre(residual, inverseDiagonal);
        double start = Math.Sqrt(Dot(residual, residual));
        if (start == 0)
            return new(0, 0, false);
        double[] direction = new double[x.Length],
            image = new double[x.Length],
            scaled = new double[x.Length];
        double slope = 0,
            error = 1;
        int iteration = 0;
        for (; iteration < maxIterations && error > tolerance; iteration++)
        {
            for (int i = 0; i < scaled.Length; i++)
                scaled[i] = inverseDiagonal[i] * residual[i];
            double next = Dot(residual, scaled);
            double share = iteration == 0 ? 0 : next / slope;
            slope = next;
            for (int i = 0; i < direction.Length; i++)
                direction[i] = scaled[i] + (share * direction[i]);
            if (!product(direction, image))
                return new(iteration, error, true);
            double curvature = Dot(direction, image);
            if (!(curvature > 0) || !(slope > 0))
                break; // rounding is all that is left
            double step = slope / curvature;
            for (int i = 0; i < x.Length; i++)
            {
                x[i] += step * direction[i];
                residual[i] -= step * image[i];
            }
            Mask(residual, inverseDiagonal);
            if (isSingular)
                Centre(residual, inverseDiagonal);
            error = Math.Sqrt(Dot(residual, residual)) / start;
        }
        return new(iteration, error, false);
    }

    static void Mask(Span<double> x, ReadOnlySpan<double> inverseDiagonal)
    {
        for (int i = 0; i < x.Length; i++)
        {
            if (inverseDiagonal[i] == 0)
                x[i] = 0;
        }
    }

    /// <summary>Takes the sum out, from each entry its diagonal's share: what is rounding of a heavy entry would be everything to a light one.</summary>
    static void Centre(Span<double> x, ReadOnlySpan<double> inverseDiagonal)
    {
        double weight = 0;
        foreach (double inverse in inverseDiagonal)
            weight += inverse == 0 ? 0 : 1 / inverse;
        double sum = Summation.Sum(x);
        for (int i = 0; i < x.Length; i++)
        {
            if (inverseDiagonal[i] != 0)
                x[i] -= sum / inverseDiagonal[i] / weight;
        }
    }

    static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => Summation.Dot(x, y);
}
