using OT.IO;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>A map from one domain to another that was fitted to samples of both, its inverse, and its file.</summary>
/// <remarks>docs/theory/domain-adaptation.md</remarks>
public abstract class DomainMap
{
    private protected DomainMap() { }

    /// <summary>Number of coordinates of the points of both domains, d.</summary>
    public abstract int Dimension { get; }

    /// <summary>Images in the target domain of any points of the source domain.</summary>
    /// <param name="points">N × d, finite; not only those that the map was fitted to.</param>
    /// <returns>N × d.</returns>
    /// <exception cref="ArgumentException">The points have another number of coordinates, are not finite, or are so far away that their images overflow.</exception>
    public Matrix Transform(Matrix points) => Checked(Forward, points);

    /// <summary>Images in the source domain of any points of the target domain.</summary>
    /// <inheritdoc cref="Transform"/>
    /// <exception cref="NotSupportedException">The map is linear and singular.</exception>
    public Matrix InverseTransform(Matrix points) => Checked(Backward, points);

    /// <summary>Writes the map to a .npz file, which NumPy reads as well.</summary>
    /// <param name="path">Created, or replaced as a whole.</param>
    /// <exception cref="NotSupportedException">The ground cost has no name to be found by: a custom one, a power or a Minkowski distance.</exception>
    public void Save(string path) => NpzFile.Write(path, Members());

    /// <summary>Reads a map back: the same images, to the bit.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, holds no map, or was written by a later version.</exception>
    public static DomainMap Load(string path) => MapFile.Read(path);

    private protected abstract Matrix Forward(Matrix points);

    private protected abstract Matrix Backward(Matrix points);

    private protected abstract (string Name, NpyArray Array)[] Members();

    Matrix Checked(Func<Matrix, Matrix> map, Matrix points)
    {
        ArgumentNullException.ThrowIfNull(points);
        if (points.Columns != Dimension)
            throw new ArgumentException(
                $"The points have {points.Columns} coordinates: the map was fitted in {Dimension} dimensions.",
                nameof(points)
            );
        Guard.Finite(points.Values, nameof(points));
        Matrix images = points.Rows == 0 ? points : map(points);
        for (int i = 0; i < images.Rows; i++)
        {
            foreach (double coordinate in images.Row(i))
            {
                if (!double.IsFinite(coordinate))
                    throw new ArgumentException($"points[{i}] is so far away that its image overflows.", nameof(points));
            }
        }
        return images;
    }
}
